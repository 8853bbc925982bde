package dev.tiller.persona.cli;

import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks of a result's place, made before the work and not after it. */
final class OutputFile {
    private OutputFile() {}

    /** Refuses a file that could not be written: its folder is missing or read-only, or the name is a folder. */
    static Path check(Path file, String option) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || Files.isDirectory(file)) {
            throw new TillerException(option + " " + file + ": is a directory, a file name is expected");
        }
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new TillerException(option + " " + file + ": is not a regular file");
        }
        checkFolder(folder, option + " " + file);
        return file;
    }

    /** Refuses a folder that is not there or cannot be written. */
    static void checkFolder(Path folder, String what) {
        if (!Files.isDirectory(folder)) {
            throw new TillerException(what + ": directory " + folder + " does not exist");
        }
        if (!Files.isWritable(folder)) {
            throw new TillerException(what + ": directory " + folder + " is not writable");
        }
    }
}
