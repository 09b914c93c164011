import type { GraphClient } from "../graph-client.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

interface Predicted {
  predict: { version: { number: number }; outputs: [{ values: number[][] }] };
}

/** Asks a model of `PromotionsWriter`; whichever version answers, the answer must be that version's. */
export class PredictionsWriter implements Writer {
  readonly name = "predictions";
  readonly everyMs = 50;
  private readonly wrong: string[] = [];
  private count = 0;

  constructor(private readonly model: string) {}

  async prepare(): Promise<void> {
    // The model is another writer's.
  }

  next(): Operation {
    const x = this.count++;
    return {
      key: String(x),
      send: async (client: GraphClient) => {
        const { predict } = await client.query<Predicted>(
          `query Predict($input: PredictInput!) { predict(input: $input) { version { number } outputs { values } } }`,
          { input: { model: this.model, inputs: [{ name: "x", values: [[x]] }] } },
        );
        const y = predict.outputs[0].values[0]![0]!;
        if (y !== x + predict.version.number) {
          this.wrong.push(`version ${predict.version.number} made ${y} of ${x}`);
        }
      },
    };
  }

  verify(): Promise<Verdict> {
    return Promise.resolve({ ...emptyVerdict(), wrong: this.wrong });
  }
}
