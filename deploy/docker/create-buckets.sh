#!/bin/sh
# Makes each bucket of $BUCKETS and turns its versioning on; does nothing twice.
set -eu
for bucket in $BUCKETS; do
  aws s3api head-bucket --bucket "$bucket" 2>/dev/null || aws s3api create-bucket --bucket "$bucket"
  aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled
done
