import { getOperationAST } from "graphql";
import type { OperationTypeNode } from "graphql";
import { InvalidInputError } from "../shared/errors.js";
import { RefusedDocumentError } from "./documents.js";
import type { CheckedDocument, Documents } from "./documents.js";
import { assertShallow } from "./nesting.js";
import type { OperationCosts } from "./operation-cost.js";
import type { TrustedDocuments } from "./trusted-documents.js";
import type { RateLimiter } from "./rate-limiter.js";

/** Of what is refused: somebody had to read it. */
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
   * @param caller who pays, for what is refused as well
   * @throws {RefusedDocumentError} for what is wrong with the document
   * @throws {ForbiddenError} for a document that is not among the only ones that run
   * @throws {InvalidInputError} for one that is too dear, or input nested too deep
   * @throws {RateLimitedError}
   */
  admit(requested: RequestedOperation, caller: string): CheckedDocument | Promise<CheckedDocument> {
    let weighed: { checked: CheckedDocument; points: number };
    try {
      weighed = this.weigh(requested);
    } catch (error) {
      return this.charge(caller, REFUSED_POINTS, () => reject(error as Error));
    }
    return this.charge(caller, weighed.points, () => weighed.checked);
  }

  private weigh(requested: RequestedOperation): { checked: CheckedDocument; points: number } {
    assertShallow("variables", requested.variables);
    assertShallow("extensions", requested.extensions);
    const text = this.trusted ? this.trusted.textOf(requested) : requested.query;
    const checked = this.documents.check(text);
    const points = this.costs.of(checked.document, checked.operation, variablesOf(requested));
    if (points > this.mostPoints) {
      throw new InvalidInputError(
        `the operation costs ${inWords(points)} points, ${this.mostPoints} at most (ML_MAX_OPERATION_COST): ` +
          "ask for smaller pages or fewer levels",
      );
    }
    return { checked, points };
  }

  /** Of an operation that was refused, as far as anybody has read it. */
  typeOf(requested: RequestedOperation, error: unknown): OperationTypeNode | undefined {
    const text = this.trusted ? this.trusted.find(requested) : requested.query;
    const document =
      error instanceof RefusedDocumentError ? error.document : this.documents.byText(text ?? "");
    return document && getOperationAST(document)?.operation;
  }

  private charge<T>(caller: string, points: number, pass: () => T): T | Promise<T> {
    const taken = this.rates.take(caller, points);
    return taken === undefined ? pass() : taken.then(pass);
  }
}

function reject(error: Error): never {
  throw error;
}

/** As whoever runs it reads them: what is no map has been refused by then, or will be. */
export function variablesOf({ variables }: RequestedOperation): Record<string, unknown> {
  const isMap = typeof variables === "object" && variables !== null && !Array.isArray(variables);
  return isMap ? (variables as Record<string, unknown>) : {};
}

/** Large ones are rough; all are above what they are compared with. */
function inWords(points: number): string {
  return points >= 1e6 ? points.toExponential(1) : String(Math.ceil(points * 100) / 100);
}
