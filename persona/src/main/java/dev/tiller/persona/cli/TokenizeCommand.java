package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.TokenizerFiles;
import dev.tiller.loader.tokenizer.Encoding;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller tokenize}: text to tokens and back. */
@Command(
        name = "tokenize",
        header = "Show the tokens of texts.",
        description =
                "Shows the tokens of a text. With --json reads a JSON string per line of standard input and writes a"
                        + " line {\"ids\", \"ids_special\", \"decoded\", \"decoded_skip\", \"offsets\"} for each: ids without and"
                        + " with the special tokens that the tokenizer adds, the ids decoded with and without special tokens, and"
                        + " [start, end) of each id in Unicode code points.",
        footer = {
            "",
            "Examples:",
            "  tiller tokenize \"Will my plan work?\"",
            "  echo '\"Hello\"' | tiller tokenize --model DIR --json"
        })
final class TokenizeCommand implements Callable<Integer> {
    private final Console console;

    @Option(
            names = "--model",
            paramLabel = "PATH",
            description =
                    "Model directory, .gguf file, org/name, tokenizer.json or tokenizer.model (default: the bundled"
                            + " model).")
    private Path model;

    @Option(names = "--json", description = "JSON strings in, JSON objects out, one per line.")
    private boolean json;

    @Parameters(arity = "0..1", paramLabel = "TEXT", description = "The text (default: standard input).")
    private String text;

    TokenizeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        Tokenizer tokenizer = tokenizer(model == null ? ModelOptions.bundled() : model);
        if (json) {
            if (text != null) {
                throw new TillerException(
                        "TEXT and --json do not go together: with --json the texts come from standard input");
            }
            JsonLines lines = new JsonLines(console.in());
            for (String line = lines.next(); line != null; line = lines.next()) {
                console.line(JsonLines.write(describe(tokenizer, string(line, lines.where()))));
            }
        } else {
            JsonLines lines = new JsonLines(console.in());
            for (String line = text != null ? text : lines.next();
                    line != null;
                    line = text != null ? null : lines.next()) {
                show(tokenizer, line);
            }
        }
        return Main.OK;
    }

    private static Tokenizer tokenizer(Path given) {
        Path path = ModelPath.find("--model ", given);
        if (Files.isDirectory(path) && TokenizerFiles.hasTokenizer(path)) {
            return TokenizerFiles.tokenizer(path);
        }
        if (path.toString().endsWith(".json")) {
            return Tokenizer.read(path);
        }
        if (path.toString().endsWith(".model")) {
            return Tokenizer.readSentencePiece(path);
        }
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            return checkpoint.tokenizer();
        }
    }

    private static String string(String line, String where) {
        JsonElement e = Json.parse(line, where);
        if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isString()) {
            throw new TillerException(where + ": expected a JSON string");
        }
        return e.getAsString();
    }

    private static JsonObject describe(Tokenizer tokenizer, String text) {
        Encoding encoding = tokenizer.encodeWithOffsets(text, false);
        JsonArray offsets = new JsonArray();
        for (int i = 0; i < encoding.ids().length; i++) {
            offsets.add(JsonLines.array(new int[] {encoding.starts()[i], encoding.ends()[i]}));
        }
        JsonObject o = new JsonObject();
        o.add("ids", JsonLines.array(encoding.ids()));
        o.add("ids_special", JsonLines.array(tokenizer.encode(text, true)));
        o.addProperty("decoded", tokenizer.decode(encoding.ids(), false));
        o.addProperty("decoded_skip", tokenizer.decode(encoding.ids(), true));
        o.add("offsets", offsets);
        return o;
    }

    private void show(Tokenizer tokenizer, String line) {
        for (int id : tokenizer.encode(line, true)) {
            console.out().printf("%7d  %s%n", id, console.visible(tokenizer.token(id)));
        }
        console.flush();
    }
}
