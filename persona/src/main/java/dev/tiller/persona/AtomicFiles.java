package dev.tiller.persona;

import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small files that are complete or absent. */
final class AtomicFiles {
    private AtomicFiles() {}

    /** Writes under a temporary name beside the file, forces it to disk and renames it. */
    static void write(Path file, byte[] bytes) {
        AtomicFile.write(file, channel -> AtomicFile.writeFully(channel, ByteBuffer.wrap(bytes)));
    }

    /** The text of a file; bytes that are not UTF-8 are an error. */
    static String readUtf8(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (CharacterCodingException e) {
            throw new TillerException(file + ": is not UTF-8 text", e);
        } catch (IOException e) {
            throw failed(file, "cannot be read", e);
        }
    }

    static TillerException failed(Path file, String what, IOException e) {
        String why = e instanceof java.nio.file.NoSuchFileException ? "no such file or directory" : e.getMessage();
        return new TillerException(file + ": " + what + ": " + why, e);
    }
}
