package dev.tiller.loader.torch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Torch files by hand, as nobody would write them. */
final class TorchBytes {
    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();

    /** Begins with PROTO 2. */
    static TorchBytes pickle() {
        return new TorchBytes().op(0x80, 2);
    }

    TorchBytes op(int... bytes) {
        for (int b : bytes) {
            pickle.write(b);
        }
        return this;
    }

    TorchBytes global(String module, String name) {
        return op('c').raw(module + "\n" + name + "\n");
    }

    TorchBytes text(String text) {
        return op('X', text.length(), 0, 0, 0).raw(text);
    }

    TorchBytes raw(String latin) {
        pickle.writeBytes(latin.getBytes(StandardCharsets.ISO_8859_1));
        return this;
    }

    /** A storage of that many floats under key 0. */
    TorchBytes storage(String type, int numel) {
        return op('(').text("storage")
                .global("torch", type)
                .text("0")
                .text("cpu")
                .op('K', numel, 't', 'Q');
    }

    byte[] bytes() {
        return pickle.toByteArray();
    }

    /** STOP, and the file with 16 bytes of data under key 0. */
    Path write(Path folder) {
        return write(folder, op('.').bytes(), new byte[16]);
    }

    static Path write(Path folder, byte[] pickle, byte[] data) {
        Path file = folder.resolve("made.pt");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            stored(zip, "made/data.pkl", pickle);
            stored(zip, "made/data/0", data);
            stored(zip, "made/version", new byte[] {'3', '\n'});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    private static void stored(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        ZipEntry entry = new ZipEntry(name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(bytes.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(bytes);
        zip.closeEntry();
    }
}
