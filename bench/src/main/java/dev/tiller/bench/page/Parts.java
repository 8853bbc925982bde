package dev.tiller.bench.page;

import java.util.Locale;

/** The parts of the page that are a table, or a sentence. */
final class Parts {
    private Parts() {}

    static void startup(Page page, Result r) {
        page.add(
                "\n## Start and memory: %s, weights %s\n\nA fresh process gave the first token after a prompt of %d tokens in"
                        + " %s s. Its peak resident memory was %s MB (at most %s MB of no file, %s MB of mapped files);"
                        + " weights, keys and values, and 300 MiB are %.0f MB.\n",
                r.text("model"),
                r.text("weights"),
                r.whole("prompt"),
                r.spread("first_token_seconds", "%.2f"),
                r.spread("peak_resident_mb", "%.0f"),
                r.spread("resident_of_no_file_mb", "%.0f"),
                r.spread("resident_of_mapped_files_mb", "%.0f"),
                r.number("limit_mb"));
    }

    static void steering(Page page, Result r) {
        page.add(
                "\n## Steering: %s, weights %s\n\n%s. Speed with it over speed without it: by rounds, and by neighbouring"
                        + " turns with the 95 %% interval of their median.\n\n",
                r.text("model"), r.text("weights"), r.text("machine"));
        page.add(new Table()
                .text("row", "name")
                .whole("batch", "batch")
                .spread("ratio of rounds", "ratio", "%.4f")
                .column("turns", row -> turns(row.object("turns")))
                .of(r.objects("rows")));
        if (r.has("peer")) {
            page.add("\nThe same in %s:\n\n", r.text("peer"));
            page.add(new Table()
                    .text("row", "name")
                    .spread("ratio of rounds", "ratio", "%.4f")
                    .of(r.objects("peer_rows")));
        }
    }

    private static String turns(Result turns) {
        return String.format(
                Locale.ROOT,
                "%.4f (%.4f..%.4f, n %d)",
                turns.number("median"),
                turns.number("low"),
                turns.number("high"),
                turns.whole("n"));
    }

    static void site(Page page, Result r) {
        page.add(
                "\n## Edits at one residual site\n\n%s. One thread; nanoseconds for a row, and what the edits add; bytes of"
                        + " the directions over those of a block's weights (12 d^2 in bf16), and the time of all rows' edits"
                        + " over the time of reading those weights at %.1f GB/s.\n\n",
                r.text("machine"), r.number("read_gb_per_second"));
        page.add(new Table()
                .text("edits", "edits")
                .whole("width", "width")
                .whole("rows", "rows")
                .spread("ns for a row", "nanoseconds_per_row", "%.0f")
                .spread("added", "nanoseconds_added", "%.0f")
                .percent("bytes", "share_of_bytes", "%.4f")
                .percent("time", "share_of_time", "%.4f")
                .of(r.objects("rows")));
    }

    static void rollouts(Page page, Result r) {
        page.add("\n## Rollouts: %s\n\n", r.text("model"));
        for (Result row : r.objects("rows")) {
            page.add(
                    "%d texts side by side, weights %s: %s tokens/s.\n",
                    row.whole("batch"), row.text("weights"), row.spread("tokens_per_second", "%.0f"));
        }
    }

    static void tokenizers(Page page, Result r) {
        boolean peer = r.has("peer");
        page.add(
                "\n## Tokenizers\n\n%s. %s, the first %d bytes; one thread%s. `encode` takes the lines one by one,"
                        + " `encode_whole` the text at once, `decode` turns the tokens of the lines back. MB are 10^6 bytes of"
                        + " UTF-8.\n\n",
                r.text("machine"),
                r.text("text"),
                r.whole("bytes"),
                peer ? "; beside " + r.text("peer") + ", in turns" : "");
        Table table =
                new Table().text("tokenizer", "tokenizer").text("row", "row").spread("MB/s", "mb_per_second", "%.1f");
        if (peer) {
            table.spread("peer MB/s", "peer_mb_per_second", "%.1f").spread("ratio, round by round", "ratio", "%.2f");
        }
        page.add(table.of(r.objects("rows")));
    }

    static void kernels(Page page, Result r) {
        page.add(
                "\n## Single operations (%s)\n\n%s. Reading memory %s GB/s, multiply-adds %s GFLOP/s.\n\n",
                r.source(),
                r.text("machine"),
                r.spread("read_gb_per_second", "%.1f"),
                r.spread("multiply_add_gflop_per_second", "%.0f"));
        page.add(new Table()
                .text("kernel", "kernel")
                .text("shape", "shape")
                .spread("us", "microseconds", "%.2f")
                .number("GB/s", "gb_per_second", "%.1f")
                .number("GFLOP/s", "gflop_per_second", "%.1f")
                .percent("share", "share_of_ceiling", "%.0f")
                .text("bound by", "bound_by")
                .of(r.objects("rows")));
        Result skipped = r.object("skipped");
        skipped.json().keySet().forEach(what -> page.add("\nSkipped %s: %s\n", what, skipped.text(what)));
    }
}
