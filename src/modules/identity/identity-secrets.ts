/** What tokens and API keys are checked with; the previous ones are good for checking while they are replaced. */
export interface IdentitySecrets {
  jwt?: string;
  jwtPrevious?: string;
  apiKey?: string;
  apiKeyPrevious?: string;
}

/** The secrets as they are now: asked whenever they are needed, so that they may change while the process runs. */
export type SecretSource = () => IdentitySecrets;
