import { Command, CommanderError } from 'commander';

import { CliError, exitCodes } from './cli-error.ts';
import { configCommand } from './commands/config.ts';
import { devCommand } from './commands/dev.ts';
import { drainCommand } from './commands/drain.ts';
import { historyCommand } from './commands/history.ts';
import { lastSeenCommand } from './commands/last-seen.ts';
import { presenceCommand } from './commands/presence.ts';
import { publishCommand } from './commands/publish.ts';
import { nodesCommand } from './commands/nodes.ts';
import { revokeCommand } from './commands/revoke.ts';
import { serveCommand } from './commands/serve.ts';
import { subscribeCommand } from './commands/subscribe.ts';
import { tokenCommand } from './commands/token.ts';
import { webhooksCommand } from './commands/webhooks.ts';
import type { Surroundings } from './local-config.ts';
import { Output } from './output.ts';

export interface RunOptions extends Surroundings {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly version: string;
}

const footer = `
Exit codes: 0 ok, 1 it failed, 2 it was not understood.
Options of a node can also stand in tutti.config.ts or .json, or in TUTTI_* variables: docs/operations/configuration.md`;

/** Runs one command line (without node and script). Returns the exit code; never throws. */
export async function run(argv: readonly string[], options: RunOptions): Promise<number> {
  // Known before the parser runs, so that its own complaints come in the right form too.
  const isJson = argv.includes('--json');
  const output = new Output(options, { json: isJson });
  try {
    // The bare command is a newcomer's question.
    const words = argv.length === 0 ? ['--help'] : [...argv];
    await program(options, output).parseAsync(words, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // A group without one of its commands, such as `tutti config`: the same question as the bare command.
    if (error instanceof CommanderError && error.code === 'commander.help')
      return await run([...argv, '--help'], options);
    if (error instanceof CommanderError) return failedParse(error, output);
    if (error instanceof CliError) {
      output.fail(error);
      return error.exitCode;
    }
    output.fail(
      new CliError(error instanceof Error ? (error.stack ?? error.message) : String(error), {
        remedies: ['This is a bug in tutti; please report it.'],
      }),
    );
    return exitCodes.failed;
  }
}

function program(options: RunOptions, output: Output): Command {
  const command = new Command('tutti')
    .description('A self-hosted real-time engine: everyone who should know, knows, in order and in time.')
    .version(options.version, '-v, --version')
    .option('--json', 'for programs: one JSON object a line')
    .addHelpText('after', footer)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => options.stdout.write(text),
      // Errors are told by `run`, in the form that was asked for.
      writeErr: () => undefined,
    })
    .configureHelp({ showGlobalOptions: true });
  const context = { env: options.env, cwd: options.cwd, output: () => output };
  devCommand(command, context);
  serveCommand(command, context);
  drainCommand(command, context);
  tokenCommand(command, context);
  publishCommand(command, context);
  subscribeCommand(command, context);
  historyCommand(command, context);
  presenceCommand(command, context);
  lastSeenCommand(command, context);
  nodesCommand(command, context);
  revokeCommand(command, context);
  webhooksCommand(command, context);
  configCommand(command, context);
  for (const leaf of leaves(command)) leaf.option('--json', 'for programs: one JSON object a line');
  return command;
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap((child) => leaves(child));
}

function failedParse(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return exitCodes.ok;
  const message = error.message.replace(/^error: /, '').replace('\n', ' ');
  output.fail({ message, remedies: ['`tutti --help` and `tutti COMMAND --help` say what there is.'] });
  return exitCodes.usage;
}
