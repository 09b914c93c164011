import { AsyncLocalStorage } from "node:async_hooks";

/**
 * A value that everything sees which `work` starts. Before Node 24, AsyncLocalStorage slows every promise of the
 * process while it is on (45 of 290 us of CPU for a `predict`), so it is off whenever no scope is open.
 */
export class ScopedStorage<T> {
  private readonly storage = new AsyncLocalStorage<T | undefined>();
  private open = 0;

  async run<R>(value: T | undefined, work: () => Promise<R>): Promise<R> {
    this.open++;
    try {
      return await this.storage.run(value, work);
    } finally {
      if (--this.open === 0) this.storage.disable();
    }
  }

  get current(): T | undefined {
    return this.open === 0 ? undefined : this.storage.getStore();
  }
}
