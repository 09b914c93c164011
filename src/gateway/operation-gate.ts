import { getOperationAST } from "graphql";
import type { OperationTypeNode } from "graphql";
import { ForbiddenError, InvalidInputError } from "../shared/errors.js";
import type { CheckedDocument, Documents } from "./documents.js";
import { RefusedDocumentError } from "./documents.js";
import { assertShallow } from "./nesting.js";
import type { OperationCosts } from "./operation-cost.js";
import type { TrustedDocuments } from "./trusted-documents.js";
import type { RateLimiter } from "./rate-limiter.js";

/** Of a document that is refused: somebody had to read it. */
const REFUSED_POINTS = 1;

/** An operation as a client sends it. */
export interface RequestedOperation {
  query: string;
  variables?: unknown;
  extensions?: unknown;
}

/** What every operation passes before it runs, whichever door it comes by. */
export class OperationGate {
  constructor(
    private readonly documents: Documents,
    private readonly costs: OperationCosts,
    readonly rates: RateLimiter,
    /** Points of one operation. */
    private readonly mostPoints: number,
    /** Absent: whatever is within the limits runs. */
    private readonly trusted?: TrustedDocuments,
  ) {}

  /** Whether only documents that are known run, and may be named by their digest. */
  get trusting(): boolean {
    return this.trusted !== undefined;
  }

  /**
   * @param caller who pays
   * @throws {RefusedDocumentError} for what is wrong with the document
   * @throws {ForbiddenError} for a document that is not among the only ones that run
   * @throws {InvalidInputError} for one that is too dear, or input nested too deep
   * @throws {RateLimitedError}
   */
  admit(requested: RequestedOperation, caller: string): CheckedDocument | Promise<CheckedDocument> {
    assertShallow("variables", requested.variables);
    assertShallow("extensions", requested.extensions);
    let checked: CheckedDocument;
    try {
      checked = this.documents.check(this.textOf(requested));
    } catch (error) {
      if (error instanceof RefusedDocumentError)
        return this.charge(caller, REFUSED_POINTS, () => reject(error));
      throw error;
    }
    const points = this.costs.of(checked.document, checked.operation, variablesOf(requested));
    if (points > this.mostPoints) {
      throw new InvalidInputError(
        `the operation costs ${inWords(points)} points, ${this.mostPoints} at most (ML_MAX_OPERATION_COST): ` +
          "ask for smaller pages or fewer levels",
      );
    }
    return this.charge(caller, points, () => checked);
  }

  /** Of an operation that was refused, as far as anybody has read it. */
  typeOf(requested: RequestedOperation, error: unknown): OperationTypeNode | undefined {
    if (error instanceof ForbiddenError) return undefined;
    const document =
      error instanceof RefusedDocumentError ? error.document : this.documents.byText(this.textOf(requested));
    return document && getOperationAST(document)?.operation;
  }

  private textOf(requested: RequestedOperation): string {
    return this.trusted ? this.trusted.textOf(requested) : requested.query;
  }

  private charge<T>(caller: string, points: number, pass: () => T): T | Promise<T> {
    const taken = this.rates.take(caller, points);
    return taken === undefined ? pass() : taken.then(pass);
  }
}

function reject(error: Error): never {
  throw error;
}

function variablesOf({ variables }: RequestedOperation): Readonly<Record<string, unknown>> {
  const isMap = typeof variables === "object" && variables !== null && !Array.isArray(variables);
  return isMap ? (variables as Record<string, unknown>) : {};
}

/** Large ones are rough; all are above what they are compared with. */
function inWords(points: number): string {
  return points >= 1e6 ? points.toExponential(1) : String(Math.ceil(points * 100) / 100);
}
