package dev.tiller.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.TokenizerFiles;
import dev.tiller.loader.tokenizer.Tokenizer;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.ModelOptions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bench tokenizer}: megabytes of text per second to tokens and back. */
@Command(
        name = "tokenizer",
        header = "Times tokenizers on a text, one thread, and those of a peer in turn.",
        description = {
            "Rows: \"encode\" takes the lines of the text one by one, \"encode_whole\" the text at once, \"decode\" turns the"
                    + " tokens of the lines back. A megabyte is 10^6 bytes of UTF-8. A peer must find as many tokens as we do.",
            "",
            "Example:",
            "  tiller bench tokenizer --text FILE --tokenizer DIR --peer \"python3 bench/peers/tokenizers_peer.py\""
        })
final class TokenizerCommand implements Callable<Integer> {
    private static final List<String> ROWS = List.of("encode", "encode_whole", "decode");

    private final Console console;

    @Option(
            names = "--tokenizer",
            paramLabel = "PATH",
            description =
                    "Directory with a tokenizer, or a tokenizer.json; can be repeated (default: the bundled model).")
    private List<Path> paths;

    @Option(names = "--text", paramLabel = "FILE", required = true, description = "Text in UTF-8.")
    private Path text;

    @Option(
            names = "--bytes",
            paramLabel = "N",
            defaultValue = "1000000",
            converter = ModelOptions.Positive.class,
            description = "How much of the text, to the end of a line (default: ${DEFAULT-VALUE}).")
    private Integer bytes;

    @Mixin
    private RoundOptions rounds = new RoundOptions(5);

    @Option(
            names = "--peer",
            paramLabel = "COMMAND",
            description = "Another library to take turns with, e.g. \"python3 bench/peers/tokenizers_peer.py\".")
    private String peerCommand;

    @Mixin
    private Output output;

    TokenizerCommand(Console console) {
        this.console = console;
    }

    /** A tokenizer with the tokens of each line. */
    private record Entry(String name, Tokenizer tokenizer, int[][] ids, int tokens) {}

    /** The text, as a whole and by lines with their ends. */
    private record Text(String name, String whole, List<String> lines, int bytes) {}

    @Override
    public Integer call() throws IOException {
        Text given = read();
        List<Entry> entries = entries(given);
        try (Peer peer = Peer.start(peerCommand, arguments(), console::note)) {
            check(entries, peer);
            Rounds measured = rounds.run(() -> round(entries, given), peer, console::note);
            report(given, entries, measured, peer);
        }
        return 0;
    }

    private Text read() throws IOException {
        byte[] all = Files.readAllBytes(text);
        int end = Math.min(bytes, all.length);
        while (end > 0 && end < all.length && all[end - 1] != '\n') {
            end--;
        }
        String whole = new String(all, 0, end, StandardCharsets.UTF_8);
        List<String> lines = new ArrayList<>();
        for (int from = 0; from < whole.length(); ) {
            int to = whole.indexOf('\n', from) + 1;
            to = to == 0 ? whole.length() : to;
            lines.add(whole.substring(from, to));
            from = to;
        }
        if (lines.isEmpty()) {
            throw new TillerException(
                    "--text " + text + ": expected a line of at most " + bytes + " bytes, found none");
        }
        return new Text(text.getFileName().toString(), whole, lines, end);
    }

    private List<Path> paths() {
        return paths == null ? List.of(ModelOptions.bundled()) : paths;
    }

    private List<Entry> entries(Text given) {
        List<Entry> entries = new ArrayList<>();
        for (Path path : paths()) {
            Tokenizer tokenizer = Files.isDirectory(path) ? TokenizerFiles.tokenizer(path) : Tokenizer.read(path);
            int[][] ids = new int[given.lines.size()][];
            int tokens = 0;
            for (int i = 0; i < ids.length; i++) {
                ids[i] = tokenizer.encode(given.lines.get(i), false);
                tokens += ids[i].length;
            }
            Path folder = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
            String name = folder.toAbsolutePath().normalize().getFileName().toString();
            entries.add(new Entry(name, tokenizer, ids, tokens));
        }
        return entries;
    }

    /** The peer gets the same text and tokenizers. */
    private List<String> arguments() {
        List<String> arguments = new ArrayList<>(List.of("--text", text.toString(), "--bytes", bytes.toString()));
        for (Path path : paths()) {
            Path file = Files.isDirectory(path) ? path.resolve("tokenizer.json") : path;
            arguments.addAll(List.of("--tokenizer", file.toString()));
        }
        return arguments;
    }

    private static void check(List<Entry> entries, Peer peer) {
        for (Entry entry : entries) {
            double theirs = peer == null ? entry.tokens : peer.facts().getOrDefault(entry.name, -1.0);
            if (theirs != entry.tokens) {
                throw new TillerException(String.format(
                        Locale.ROOT,
                        "%s: we find %d tokens in the lines and the peer %.0f; expected the same",
                        entry.name,
                        entry.tokens,
                        theirs));
            }
        }
    }

    /** Tokens per second of every row once. */
    private static List<Sample> round(List<Entry> entries, Text given) {
        List<Sample> samples = new ArrayList<>();
        for (Entry entry : entries) {
            for (String row : ROWS) {
                long start = System.nanoTime();
                long seen = pass(entry, row, given);
                double seconds = (System.nanoTime() - start) / 1e9;
                if (seen == 0) {
                    throw new IllegalStateException(entry.name + ": " + row + " gave nothing");
                }
                samples.add(new Sample(row, entry.name, 1, entry.tokens / seconds));
            }
        }
        return samples;
    }

    private static long pass(Entry entry, String row, Text given) {
        long seen = 0;
        switch (row) {
            case "encode" -> {
                for (String line : given.lines) {
                    seen += entry.tokenizer.encode(line, false).length;
                }
            }
            case "encode_whole" -> seen = entry.tokenizer.encode(given.whole, false).length;
            default -> {
                for (int[] ids : entry.ids) {
                    seen += entry.tokenizer.decode(ids, false).length();
                }
            }
        }
        return seen;
    }

    private void report(Text given, List<Entry> entries, Rounds measured, Peer peer) {
        JsonObject out = new JsonObject();
        out.addProperty("machine", Machine.describe());
        out.addProperty("text", given.name);
        out.addProperty("bytes", given.bytes);
        if (peer != null) {
            out.addProperty("peer", peer.name());
        }
        List<String> lines = new ArrayList<>();
        lines.add("machine  " + Machine.describe());
        lines.add("text     " + given.name + ", the first " + given.bytes + " bytes");
        lines.add(peer == null ? "" : "peer     " + peer.name());
        lines.add(
                String.format(Locale.ROOT, "%-22s %-14s %-28s %-28s %s", "tokenizer", "row", "MB/s", "peer", "ratio"));
        JsonArray rows = new JsonArray();
        for (RateRow row : measured.ours()) {
            Entry entry = entries.stream()
                    .filter(e -> e.name.equals(row.weights()))
                    .findFirst()
                    .orElseThrow();
            double tokens = entry.tokens / (given.bytes / 1e6); // of a megabyte
            JsonObject o = new JsonObject();
            o.addProperty("tokenizer", entry.name);
            o.addProperty("row", row.name());
            o.addProperty("tokens", entry.tokens);
            Spread ours = row.spread().in(tokens);
            o.add("mb_per_second", ours.rounded().json());
            String line = String.format(Locale.ROOT, "%-22s %-14s %-28s", entry.name, row.name(), ours.show("%.2f"));
            for (RateRow other : measured.theirs()) {
                if (other.name().equals(row.name()) && other.weights().equals(row.weights())) {
                    Spread theirs = other.spread().in(tokens);
                    Spread ratio = Spread.ofRatios(row.rates(), other.rates());
                    o.add("peer_mb_per_second", theirs.rounded().json());
                    o.add("ratio", ratio.rounded().json());
                    line += String.format(Locale.ROOT, " %-28s %s", theirs.show("%.2f"), ratio.show("%.2f"));
                }
            }
            rows.add(o);
            lines.add(line);
        }
        out.add("rows", rows);
        output.show(console, console::note, lines, () -> out);
    }
}
