import type { InferenceRuntime, ModelSignature, ModelSource } from "../../ports/inference-runtime.js";
import type { ObjectStore } from "../../ports/object-store.js";
import type { EmbedderOptions, EmbedderRequest } from "../../shared/embedder-options.js";
import type { ModelKind } from "./model.entity.js";
import { forecasterSignatureFault } from "./model-input.rules.js";
import { filesOf, toModelSource } from "./version-files.js";
import type { VersionFiles } from "./version-files.js";

/** A version whose graph loads and runs. */
export interface VersionCandidate {
  source: ModelSource;
  signature: ModelSignature;
  /** TEXT_EMBEDDER: what its owner asked for. */
  embedder: EmbedderRequest | null;
}

/** What a kind of model demands beyond a graph that runs. `rejection`: in words, for the version's owner. */
export type VersionCheck = (
  candidate: VersionCandidate,
) => Promise<{ ok: true; embedder?: EmbedderOptions } | { ok: false; rejection: string }>;

export type Verdict =
  | { ok: true; signature: ModelSignature; embedder: EmbedderOptions | null }
  | { ok: false; rejection: string };

/** Gets the files of a version that is about to be READY; what it throws keeps the version from it. */
export type AcceptedFiles = (files: readonly { sha256: string; bytes: number }[]) => Promise<void>;

/** Decides whether the stored files of a version can serve as a model of its kind. */
export class ArtifactValidation {
  private readonly checks = new Map<ModelKind, VersionCheck>([["CURVE_FORECASTER", checkForecaster]]);
  private accepted: AcceptedFiles = () => Promise.resolve();

  constructor(
    private readonly store: ObjectStore,
    private readonly runtime: InferenceRuntime,
  ) {}

  addCheck(kind: ModelKind, check: VersionCheck): void {
    this.checks.set(kind, check);
  }

  onAccepted(accepted: AcceptedFiles): void {
    this.accepted = accepted;
  }

  async judge(kind: ModelKind, files: VersionFiles, embedder: EmbedderRequest | null): Promise<Verdict> {
    const source = await toModelSource(this.store, files);
    const validation = await this.runtime.validate(source);
    if (!validation.ok) return validation;
    const { signature } = validation;
    const check = this.checks.get(kind);
    const checked = check ? await check({ source, signature, embedder }) : { ok: true as const };
    if (!checked.ok) return checked;
    await this.accepted(filesOf(files));
    return { ok: true, signature, embedder: checked.embedder ?? null };
  }
}

const checkForecaster: VersionCheck = ({ signature }) => {
  const rejection = forecasterSignatureFault(signature);
  return Promise.resolve(rejection === undefined ? { ok: true } : { ok: false, rejection });
};
