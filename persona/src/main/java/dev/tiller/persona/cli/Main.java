package dev.tiller.persona.cli;

import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.loader.Timeline;
import dev.tiller.persona.ProgramVersion;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The program {@code tiller}. Exit codes: 0 done, 1 something is wrong with what was given (one line on standard error
 * says what), 2 the command line itself was not understood.
 */
@Command(
        name = "tiller",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Main.Version.class,
        sortOptions = false,
        addMethodSubcommands = false, // else all annotations of all methods are read, those of Object as well
        usageHelpAutoWidth = true,
        description = "Runs language models and steers them from the inside.",
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        parameterListHeading = "%nParameters:%n",
        commandListHeading = "%nCommands:%n")
public final class Main implements Runnable {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 2;

    /** Commands of which the first answer is waited for: kernels begin to get warm before the arguments are read. */
    private static final Set<String> RUN_A_MODEL = Set.of("generate", "chat");

    /** Arguments with which the kernels of the processor are not used. */
    private static final Set<String> NO_VECTORS = Set.of("scalar", "cuda", "--help", "-h");

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "Show where in the program an error came from.")
    private boolean stacktrace;

    private Main() {}

    /** Runs the command line and ends the process with its exit code. */
    public static void main(String[] args) {
        Timeline.mark("main");
        if (args.length > 0 && RUN_A_MODEL.contains(args[0]) && Collections.disjoint(List.of(args), NO_VECTORS)) {
            WarmUp.begin();
        }
        int code = run(Console.system(), args);
        Timeline.mark("end");
        Timeline.threads();
        System.exit(code);
    }

    /** Runs one command line; returns the exit code and never throws. */
    public static int run(Console console, String... args) {
        Main main = new Main();
        int code;
        try {
            CommandLine line = main.commandLine(console, args);
            Timeline.mark("commands known");
            code = line.execute(args);
            console.flush();
        } catch (Throwable t) {
            code = main.report(t, console);
        }
        return code;
    }

    /**
     * The commands of this module by name, in the order of the help. Made only when needed: reading the annotations of
     * all of them takes longer than starting Java.
     */
    static final Map<String, Function<Console, Object>> COMMANDS = commands();

    private static Map<String, Function<Console, Object>> commands() {
        Map<String, Function<Console, Object>> commands = new LinkedHashMap<>();
        commands.put("demo", DemoCommand::new);
        commands.put("generate", GenerateCommand::new);
        commands.put("chat", ChatCommand::new);
        commands.put("extract", ExtractCommand::new);
        commands.put("vector", VectorCommand::new);
        commands.put("bake", BakeCommand::new);
        commands.put("calibrate", CalibrateCommand::new);
        commands.put("dose", DoseCommand::new);
        commands.put("inspect", InspectCommand::new);
        commands.put("activations", ActivationsCommand::new);
        commands.put("perplexity", PerplexityCommand::new);
        commands.put("tokenize", TokenizeCommand::new);
        commands.put("render", RenderCommand::new);
        commands.put("convert", ConvertCommand::new);
        commands.put("pull", PullCommand::new);
        commands.put("cache", CacheCommand::new);
        return commands;
    }

    /** All commands, as {@link #run} knows them: to read command lines without running them. */
    public static CommandLine commandLine(Console console) {
        return new Main().commandLine(console, new String[0]);
    }

    /** Knows all commands, or only the one whose name the arguments begin with. */
    private CommandLine commandLine(Console console, String[] args) {
        CommandLine line = new CommandLine(this);
        Function<Console, Object> only = args.length == 0 ? null : COMMANDS.get(args[0]);
        if (only != null) {
            line.addSubcommand(only.apply(console));
        } else {
            COMMANDS.values().forEach(make -> line.addSubcommand(make.apply(console)));
            for (CommandProvider provider : ServiceLoader.load(CommandProvider.class)) {
                provider.commands(console).forEach(line::addSubcommand);
            }
        }
        line.getCommandSpec().usageMessage().footer(examples());
        line.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8));
        line.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(
                TokenColours.of(console) == TokenColours.NONE ? Ansi.OFF : Ansi.ON));
        line.setExpandAtFiles(false);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler((e, given) -> usageError(e, console));
        line.setExecutionExceptionHandler((e, command, parsed) -> report(e, console));
        return line;
    }

    private static String[] examples() {
        return new String[] {
            "",
            "Start with:",
            "  tiller demo                       find a persona vector and steer with it",
            "  tiller chat                       talk to the bundled model",
            "  tiller COMMAND --help             options and examples of a command",
            "",
            "Exit codes: 0 done, 1 something given is wrong, 2 command line not understood.",
            "The line \"WARNING: Using incubator modules\" comes from Java and cannot be switched off."
        };
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getErr());
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private int usageError(ParameterException e, Console console) {
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        String what = String.valueOf(e.getMessage())
                .strip()
                .replaceAll("\\s*\\R\\s*", " ")
                .replaceFirst("^Error: ", "");
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getSuggestions().isEmpty()) {
            what += "; did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?";
        }
        console.note("tiller: " + what + " (" + command + " --help shows what is accepted)");
        if (stacktrace) {
            e.printStackTrace(console.err());
        }
        return USAGE;
    }

    private int report(Throwable t, Console console) {
        if (t instanceof ClosedOutputException closed && closed.isBrokenPipe()) {
            return OK;
        }
        try {
            console.flush();
        } catch (ClosedOutputException ignored) {
            // the first error is the one to report
        }
        try {
            console.note("tiller: " + ErrorReport.line(t));
            if (stacktrace) {
                t.printStackTrace(console.err());
                console.err().flush();
            }
        } catch (ClosedOutputException nowhere) {
            return FAILED; // standard error is gone as well
        }
        return FAILED;
    }

    /** Version of the program and of the Java it runs on. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"tiller " + ProgramVersion.number() + " (Java " + Runtime.version() + ")"};
        }
    }
}
