export { CachedAnswers, asJson } from "./cached-answers.js";
export type { AnswerFormat, AnswerStore } from "./cached-answers.js";
