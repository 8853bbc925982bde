package dev.tiller.bench.page;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.bench.Outcome;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page of results: the one in the repository is that of its results, and a damaged result is named. */
class PageCommandTest {
    @TempDir
    Path folder;

    private Outcome page() {
        return Outcome.of(List.of("bench", "page", folder.toString()));
    }

    @Test
    void theCommittedPageIsThatOfTheResults() throws IOException {
        Path committed = SharedFiles.repository("bench/results");
        try (Stream<Path> files = Files.list(committed)) {
            for (Path file :
                    files.filter(f -> isSource(f.getFileName().toString())).toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        assertEquals(0, page().code());
        int seen = 0;
        try (Stream<Path> files = Files.list(committed)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                assertEquals(Files.readString(file), Files.readString(folder.resolve(name)), name);
                seen += isSource(name) ? 0 : 1;
            }
        }
        assertTrue(seen > 8, seen + " written files");
    }

    /** Results and texts of people; the others are written from them. */
    private static boolean isSource(String name) {
        return name.endsWith(".json") || name.endsWith(".md") && !name.equals("README.md");
    }

    @Test
    void aDamagedResultIsNamed() throws IOException {
        for (String result :
                List.of("peers-x", "quality-x", "startup", "steering", "site", "rollouts", "tokenizer", "kernels")) {
            Path file = folder.resolve(result + ".json");
            for (String content : List.of("{}", "{\"machine\": 3}", "[]")) {
                Files.writeString(file, content);
                Outcome o = page();
                assertEquals(1, o.code(), o.err());
                assertTrue(o.err().contains(result + ".json"), o.err());
                assertEquals(1, o.err().lines().count(), o.err());
            }
            Files.delete(file);
        }
    }

    @Test
    void aFolderThatIsNotThereIsNamed() {
        Outcome o = Outcome.of(List.of("bench", "page", folder.resolve("absent").toString()));
        assertEquals(1, o.code());
        assertTrue(o.err().contains("absent: expected a folder of results"), o.err());
    }
}
