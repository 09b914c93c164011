// The floor: one onnxruntime session behind one route, nothing else. node plain-endpoint.process.js json|apollo MODEL
import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import fastifyApollo from "@as-integrations/fastify";
import Fastify from "fastify";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { SERVER_CORE, pin } from "./pinned-process.js";

const [kind, model] = process.argv.slice(2) as [string, string];
const session = await InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });

async function predict(inputs: readonly number[]): Promise<number[]> {
  const { y } = await session.run({
    x: new Tensor("float32", Float32Array.from(inputs), [1, inputs.length]),
  });
  return Array.from(y!.data as Float32Array);
}

const numbers = { type: "array", items: { type: "number" } };
const fastify = Fastify({ logger: false });
if (kind === "json") {
  const schema = {
    body: {
      type: "object",
      required: ["inputs"],
      properties: { model: { type: "string" }, inputs: numbers },
    },
    response: { 200: { type: "object", properties: { model: { type: "string" }, outputs: numbers } } },
  };
  fastify.post<{ Body: { model: string; inputs: number[] } }>("/", { schema }, async ({ body }) => ({
    model: body.model,
    outputs: await predict(body.inputs),
  }));
} else {
  const apollo = new ApolloServer({
    typeDefs: `type Prediction { model: String! outputs: [Float!]! }
      type Query { predict(model: String!, inputs: [Float!]!): Prediction }`,
    resolvers: {
      Query: {
        predict: async (_root: unknown, call: { model: string; inputs: number[] }) => ({
          model: call.model,
          outputs: await predict(call.inputs),
        }),
      },
    },
    nodeEnv: "production",
    plugins: [ApolloServerPluginLandingPageDisabled()],
  });
  await apollo.start();
  await fastify.register(fastifyApollo(apollo), { path: "/" });
}
await fastify.listen({ host: "127.0.0.1", port: 0 });
pin(process.pid, SERVER_CORE);
process.stdout.write(`http://127.0.0.1:${(fastify.server.address() as { port: number }).port}\n`);
