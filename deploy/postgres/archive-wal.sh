#!/bin/sh
# archive_command: keeps a finished segment under its name once it is whole and on disk. Fails when another one has
# that name already, so that the server keeps its own until somebody has looked.
set -eu
path=$1 name=$2 folder=${3:-/archive/segments}
mkdir -p "$folder"
if [ -e "$folder/$name" ]; then
  cmp -s "$path" "$folder/$name"
  exit
fi
cp "$path" "$folder/.$name"
sync "$folder/.$name"
mv "$folder/.$name" "$folder/$name"
sync "$folder"
