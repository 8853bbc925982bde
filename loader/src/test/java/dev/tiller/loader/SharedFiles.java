package dev.tiller.loader;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * Files for tests: reference fixtures beside the checkout (optional; a test that needs a missing one is skipped and
 * counted) and files of the repository itself.
 */
public final class SharedFiles {
    private SharedFiles() {}

    /** A path below the folder of reference fixtures, e.g. "fixtures/tokenizers"; skips the test if it is not there. */
    public static Path require(String relative) {
        Path path = root().resolve(relative);
        Assumptions.assumeTrue(Files.exists(path), () -> "skipped: needs " + relative + " in the reference fixtures");
        return path;
    }

    /** True if the folder of reference fixtures holds that path. */
    public static boolean has(String relative) {
        return Files.exists(root().resolve(relative));
    }

    /** A path in the repository, e.g. "models/microworld". */
    public static Path repository(String relative) {
        return Path.of(System.getProperty("tiller.home", ".")).resolve(relative);
    }

    private static Path root() {
        return Path.of(System.getProperty("tiller.shared", "../shared"));
    }
}
