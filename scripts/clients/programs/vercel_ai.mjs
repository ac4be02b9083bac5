// The AI SDK of Vercel: a tool loop and a stream, by each of its three providers.
import { generateText, stepCountIs, streamText, tool } from "ai";
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { z } from "zod";

const url = process.env.GATEWAY;
const name = process.env.MODEL ?? "turnout";
const kind = process.argv[2];
const models = {
  openai: () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "client-key" }).chat(name),
  responses: () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "client-key" }).responses(name),
  anthropic: () => createAnthropic({ baseURL: `${url}/v1`, apiKey: "client-key" })(name),
  bedrock: () =>
    createAmazonBedrock({
      baseURL: url,
      region: "eu-west-1",
      accessKeyId: "client-id",
      secretAccessKey: "client-secret",
    })(name),
};
const model = models[kind]();
const weather = tool({
  description: "Looks up the weather.",
  inputSchema: z.object({ place: z.string() }),
  execute: async ({ place }) => {
    console.log(`tool: weather in ${place}`);
    return "fine";
  },
});
const result = await generateText({
  model,
  tools: { weather },
  stopWhen: stepCountIs(4),
  prompt: "How is the weather in Berlin?",
});
console.log("answer:", result.text);
console.log("usage:", result.totalUsage?.inputTokens, result.totalUsage?.outputTokens, "steps:", result.steps.length);
const streamed = streamText({ model, prompt: "And tomorrow?" });
let pieces = 0;
for await (const piece of streamed.textStream) pieces += piece.length > 0;
console.log("streamed:", pieces, "pieces:", await streamed.text);
