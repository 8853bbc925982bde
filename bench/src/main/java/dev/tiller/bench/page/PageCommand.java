package dev.tiller.bench.page;

import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code tiller bench page}: a page of tables and charts from the results in a folder. */
@Command(
        name = "page",
        header = "Writes README.md and charts from the results in a folder.",
        description = {
            "Reads what the bench commands wrote with --json: peers-*.json, kernels*.json, startup*.json, steering*.json, site*.json,"
                    + " rollouts*.json, quality*.json, tokenizer*.json. What limits a row is said by people, in limits.md of the same folder: a line"
                    + " \"decode bf16: ...\" for each row of ours, \"MODEL decode bf16: ...\" where models differ."
                    + " intro.md begins the page, quality.md the part on formats of weights."
        })
public final class PageCommand implements Callable<Integer> {
    /**
     * A part of the page.
     *
     * @param files how the names of its results begin
     * @param intro the text of people before the first of them, or null
     * @param write adds a result to the page
     */
    private record Part(String files, String intro, BiConsumer<Page, Result> write) {}

    /** In the order of the page. */
    private static final List<Part> PARTS = List.of(
            new Part("peers-", null, PeersPart::write),
            new Part("quality-", "quality.md", QualityPart::write),
            new Part("startup", null, Parts::startup),
            new Part("steering", null, Parts::steering),
            new Part("site", null, Parts::site),
            new Part("rollouts", null, Parts::rollouts),
            new Part("tokenizer", null, Parts::tokenizers),
            new Part("kernels", null, Parts::kernels));

    private final Console console;

    @Parameters(paramLabel = "DIR", defaultValue = "bench/results", description = "Default: ${DEFAULT-VALUE}.")
    private Path folder;

    public PageCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        Page page = new Page(folder);
        page.add(page.read("intro.md", "# Measured\n"));
        for (Part part : PARTS) {
            List<Path> files = results(part.files);
            if (part.intro != null && !files.isEmpty()) {
                page.add(page.read(part.intro, ""));
            }
            files.forEach(file -> part.write.accept(page, Result.of(file)));
        }
        console.note("wrote " + page.write());
        return 0;
    }

    private List<Path> results(String beginning) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new TillerException(folder + ": expected a folder of results, found none");
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.getFileName().toString().startsWith(beginning))
                    .filter(f -> f.toString().endsWith(".json"))
                    .sorted()
                    .toList();
        }
    }
}
