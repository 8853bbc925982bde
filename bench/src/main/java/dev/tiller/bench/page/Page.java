package dev.tiller.bench.page;

import dev.tiller.loader.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The page while it is written, and the folder that it lies in. */
final class Page {
    private final Path folder;
    private final StringBuilder text = new StringBuilder();

    Page(Path folder) {
        this.folder = folder;
    }

    void add(String words) {
        text.append(words);
    }

    void add(String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values));
    }

    /** Writes a chart beside the page and shows it. */
    void chart(String file, String name, String title, String scale, List<Chart.Bar> bars) {
        AtomicFile.writeString(folder.resolve(file), Chart.svg(title, scale, bars));
        add("\n![%s](%s)\n", name, file);
    }

    /** A text of people in the folder. */
    String read(String name, String otherwise) {
        Path file = folder.resolve(name);
        try {
            return Files.isReadable(file) ? Files.readString(file) : otherwise;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes it; returns where. */
    Path write() {
        Path file = folder.resolve("README.md");
        AtomicFile.writeString(file, text.toString());
        return file;
    }
}
