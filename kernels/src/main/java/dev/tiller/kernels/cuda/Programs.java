package dev.tiller.kernels.cuda;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Runs compilers. */
final class Programs {
    /** Status of a program that is not there, as shells give it. */
    static final int NOT_FOUND = 127;

    private Programs() {}

    /** @param output what the program wrote, errors included */
    record Result(int status, String output) {}

    static Result run(String... command) {
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                    .start();
        } catch (IOException e) {
            return new Result(NOT_FOUND, e.getMessage());
        }
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(process.waitFor(), output.strip());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read what " + command[0] + " writes", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + command[0] + " was running", e);
        } finally {
            process.destroy();
        }
    }
}
