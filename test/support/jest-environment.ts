import { TestEnvironment } from "jest-environment-node";

/**
 * Node's own typed arrays instead of the sandbox's: native addons check their class, and a
 * Float32Array of another realm is not one to them.
 */
export default class PlatformEnvironment extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    Object.assign(this.global, {
      ArrayBuffer,
      Float32Array,
      Float64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      BigInt64Array,
      Uint8Array,
      Uint16Array,
      Uint32Array,
      BigUint64Array,
    });
  }
}
