import { readSync } from "node:fs";

const windowBytes = 65_536;

/** The bytes end where a field says that it goes on, or are no protobuf at all. */
export class MalformedProtobufError extends Error {
  override readonly name = "MalformedProtobufError";

  constructor(
    message: string,
    /** Whether it reads well up to an early end. */
    readonly truncated: boolean,
  ) {
    super(message);
  }
}

export interface ProtobufField {
  number: number;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  wireType: number;
  /** Of a varint, its value; 0 otherwise. */
  value: number;
  /** Of a length-delimited field, where its content lies in the file. */
  start: number;
  end: number;
}

/** Reads protobuf from an open file and skips what is not asked for, so that weights never enter memory. */
export class ProtobufCursor {
  private readonly window = Buffer.alloc(windowBytes);
  private windowStart = 0;
  private windowEnd = 0;

  constructor(private readonly file: number) {}

  /** The fields of the message that lies between two positions. */
  *fields(start: number, end: number): Generator<ProtobufField> {
    let position = start;
    while (position < end) {
      const tag = this.varint(position, end);
      const field = this.field(tag.value, tag.next, end);
      yield field;
      position = field.end;
    }
  }

  text({ start, end }: ProtobufField): string {
    const bytes = Buffer.alloc(Math.min(end - start, windowBytes));
    readSync(this.file, bytes, 0, bytes.length, start);
    return bytes.toString("utf8");
  }

  private field(tag: number, position: number, end: number): ProtobufField {
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number === 0) throw new MalformedProtobufError("a field has the number 0", false);
    if (wireType === 0) {
      const { value, next } = this.varint(position, end);
      return { number, wireType, value, start: position, end: next };
    }
    if (wireType === 1) return this.bounded(number, wireType, position, position + 8, end);
    if (wireType === 5) return this.bounded(number, wireType, position, position + 4, end);
    if (wireType === 2) {
      const { value, next } = this.varint(position, end);
      return this.bounded(number, wireType, next, next + value, end);
    }
    throw new MalformedProtobufError(`a field has the wire type ${wireType}`, false);
  }

  private bounded(
    number: number,
    wireType: number,
    start: number,
    fieldEnd: number,
    end: number,
  ): ProtobufField {
    if (fieldEnd > end) {
      throw new MalformedProtobufError(`${fieldEnd - end} bytes are missing`, true);
    }
    return { number, wireType, value: 0, start, end: fieldEnd };
  }

  private varint(position: number, end: number): { value: number; next: number } {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (position + i >= end) throw new MalformedProtobufError("it ends inside a number", true);
      const byte = this.byte(position + i);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { value, next: position + i + 1 };
    }
    throw new MalformedProtobufError("a number is longer than 64 bits", false);
  }

  private byte(position: number): number {
    if (position < this.windowStart || position >= this.windowEnd) {
      this.windowStart = position;
      this.windowEnd = position + readSync(this.file, this.window, 0, windowBytes, position);
    }
    return this.window[position - this.windowStart]!;
  }
}
