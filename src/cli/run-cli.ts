import { Command, CommanderError } from "commander";
import type { CliCommand, CliContext } from "./command.js";
import { describeFailure, UsageError } from "./command-failure.js";
import { commands } from "./commands/index.js";
import { readEnvironment } from "./environment.js";
import { GraphClient } from "./graph-client.js";
import { Terminal } from "./terminal.js";

const DEFAULT_URL = "http://127.0.0.1:4000";
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

interface GlobalOptions {
  url?: string;
  token?: string;
  json?: boolean;
}

/** What a command line led to: the command, its options and arguments, and those of the program. */
type Dispatch = (
  command: CliCommand,
  globals: GlobalOptions,
  options: object,
  args: string[],
) => Promise<void>;

/**
 * Runs one command line.
 * @param argv the arguments after the program's name
 * @returns the exit code: 0, 1 for a failure, 2 for a wrong call
 */
export async function runCli(argv: string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram(async (...call) => {
    exitCode = await runCommand(...call);
  });
  try {
    await program.parseAsync(argv.length === 0 ? ["--help"] : argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
}

/** Every command with its options. @throws {CommanderError} from parsing a command line that is none */
export function createProgram(dispatch: Dispatch): Command {
  const program = new Command("254carbon")
    .description("Train, serve and forecast with the 254Carbon platform.")
    .option("--url <url>", `where the platform answers (ML_URL; default ${DEFAULT_URL})`)
    .option("--token <token>", "who is calling (ML_TOKEN)")
    .option("--json", "print the result as JSON on stdout")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("Add --help for how to call it.")
    .exitOverride();
  for (const command of commands) {
    attach(program, command, (options, args) =>
      dispatch(command, program.opts<GlobalOptions>(), options, args),
    );
  }
  return program;
}

function attach(
  program: Command,
  { usage, summary, examples, configure }: CliCommand,
  run: (options: object, args: string[]) => Promise<void>,
): void {
  const command = program.command(usage).description(summary);
  configure(command);
  command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
  command.action(async () => run(command.opts(), command.args));
}

async function runCommand(
  command: CliCommand,
  globals: GlobalOptions,
  options: object,
  args: string[],
): Promise<number> {
  const environment = readEnvironment();
  const terminal = new Terminal(globals.json ?? false, !environment.noColor);
  const url = globals.url ?? environment.url;
  try {
    const graph = new GraphClient(url ?? DEFAULT_URL, globals.token ?? environment.token);
    const context: CliContext = { graph, terminal, urlGiven: url !== undefined };
    const { data, text, exitCode = 0 } = await command.run(context, options, args);
    terminal.print(terminal.json ? JSON.stringify(data, undefined, 2) : text);
    return exitCode;
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.note(`error: ${error.message}`);
      return EXIT_USAGE;
    }
    const failure = describeFailure(error);
    terminal.note(`error: ${failureLine(failure)}`);
    if (terminal.json) terminal.print(JSON.stringify({ error: failure }, undefined, 2));
    return EXIT_FAILURE;
  }
}

/** Code, field and message; the platform's messages often start with the field already. */
function failureLine({ code, field, message }: ReturnType<typeof describeFailure>): string {
  return field === undefined || message.includes(field)
    ? `${code}: ${message}`
    : `${code} (${field}): ${message}`;
}
