package dev.tiller.kernels.cuda;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The dynamic section of a shared library (ELF, 64 bit, little endian), as far as it says which other libraries are
 * needed. JCuda's natives ask for the CUDA 12 libraries by file name and by version node; {@link #rename} lets a copy of
 * them ask for another major version. Names keep their length, so nothing in the file moves.
 */
final class ElfLibrary {
    private static final int MAGIC = 0x464c457f;
    private static final short X86_64 = 62;
    private static final int SEGMENT_LOAD = 1;
    private static final int SEGMENT_DYNAMIC = 2;
    private static final long TAG_NEEDED = 1;
    private static final long TAG_STRINGS = 5;
    private static final long TAG_VERNEED = 0x6ffffffeL;
    private static final long TAG_VERNEED_COUNT = 0x6fffffffL;

    private final byte[] bytes;
    private final ByteBuffer elf;
    /** Of each loaded segment: virtual address, offset in the file, size in the file. */
    private final List<long[]> segments = new ArrayList<>();

    private final List<Integer> needed = new ArrayList<>();
    private int strings = -1;
    private int verneed = -1;
    private int verneedCount;

    /**
     * @param bytes the whole file; {@link #rename} changes it
     * @throws IllegalArgumentException if it is no such library
     */
    ElfLibrary(byte[] bytes) {
        this.bytes = bytes;
        this.elf = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (!isX86(elf)) {
            throw new IllegalArgumentException("not a 64-bit ELF file for x86-64");
        }
        try {
            readDynamic();
        } catch (IndexOutOfBoundsException e) {
            throw new IllegalArgumentException("cut off or damaged ELF file", e);
        }
    }

    /**
     * Whether a file is a shared library that this process could load: a 32-bit one of the same name often lies beside,
     * and one that is cut off would end the process instead of giving an error.
     */
    static boolean isLoadable(Path file) {
        try (FileChannel in = FileChannel.open(file)) {
            ByteBuffer head = read(in, 0, 64);
            if (!isX86(head)) {
                return false;
            }
            int headerSize = head.getShort(54);
            ByteBuffer headers = read(in, head.getLong(32), headerSize * head.getShort(56));
            for (int p = 0; p < headers.capacity(); p += headerSize) {
                if (headers.getInt(p) == SEGMENT_LOAD && headers.getLong(p + 8) + headers.getLong(p + 32) > in.size()) {
                    return false;
                }
            }
            return true;
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            return false;
        }
    }

    private static ByteBuffer read(FileChannel in, long at, int bytes) throws IOException {
        ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (b.hasRemaining()) {
            if (in.read(b, at + b.position()) < 0) {
                throw new EOFException();
            }
        }
        return b;
    }

    private static boolean isX86(ByteBuffer elf) {
        return elf.capacity() >= 64
                && elf.getInt(0) == MAGIC
                && elf.get(4) == 2
                && elf.get(5) == 1
                && elf.getShort(18) == X86_64;
    }

    private void readDynamic() {
        int headers = Math.toIntExact(elf.getLong(32));
        int headerSize = elf.getShort(54);
        int at = -1;
        for (int i = 0; i < elf.getShort(56); i++) {
            int p = headers + i * headerSize;
            if (elf.getInt(p) == SEGMENT_LOAD) {
                segments.add(new long[] {elf.getLong(p + 16), elf.getLong(p + 8), elf.getLong(p + 32)});
            } else if (elf.getInt(p) == SEGMENT_DYNAMIC) {
                at = Math.toIntExact(elf.getLong(p + 8));
            }
        }
        if (at < 0) {
            throw new IllegalArgumentException("an ELF file without a dynamic section");
        }
        for (; elf.getLong(at) != 0; at += 16) {
            long tag = elf.getLong(at);
            long value = elf.getLong(at + 8);
            if (tag == TAG_NEEDED) {
                needed.add(Math.toIntExact(value));
            } else if (tag == TAG_STRINGS) {
                strings = offset(value);
            } else if (tag == TAG_VERNEED) {
                verneed = offset(value);
            } else if (tag == TAG_VERNEED_COUNT) {
                verneedCount = Math.toIntExact(value);
            }
        }
        if (strings < 0) {
            throw new IllegalArgumentException("an ELF file without a string table");
        }
    }

    /** File names of the libraries that this one needs. */
    List<String> needed() {
        return needed.stream().map(n -> text(strings + n)).toList();
    }

    /** What it needs of each library by version: "file name: version node". */
    List<String> versions() {
        List<String> out = new ArrayList<>();
        forEachVersion((file, aux) -> out.add(text(file) + ": " + text(strings + elf.getInt(aux + 8))));
        return out;
    }

    /**
     * Asks for another library of the same kind: in the list of libraries needed, in the version nodes and their hashes.
     *
     * @return how many places were changed, 0 if the old name is not needed
     */
    int rename(String from, String to) {
        if (from.length() != to.length()) {
            throw new IllegalArgumentException("expected names of equal length, found " + from + " and " + to);
        }
        int[] changes = {0};
        for (int n : needed) {
            changes[0] += replace(strings + n, from, to);
        }
        forEachVersion((file, aux) -> {
            changes[0] += replace(file, from, to);
            int node = strings + elf.getInt(aux + 8);
            changes[0] += replace(node, from, to);
            if (text(node).equals(to) && elf.getInt(aux) != hash(to)) {
                elf.putInt(aux, hash(to));
                changes[0]++;
            }
        });
        return changes[0];
    }

    private interface VersionVisitor {
        void visit(int file, int aux);
    }

    private void forEachVersion(VersionVisitor visitor) {
        int at = verneed;
        for (int i = 0; i < verneedCount; i++) {
            int aux = at + elf.getInt(at + 8);
            for (int k = 0; k < elf.getShort(at + 2); k++) {
                visitor.visit(strings + elf.getInt(at + 4), aux);
                aux += elf.getInt(aux + 12);
            }
            at += elf.getInt(at + 12);
        }
    }

    private int replace(int at, String from, String to) {
        if (!text(at).equals(from)) {
            return 0;
        }
        elf.put(at, to.getBytes(StandardCharsets.US_ASCII));
        return 1;
    }

    private String text(int at) {
        int end = at;
        while (bytes[end] != 0) {
            end++;
        }
        return new String(bytes, at, end - at, StandardCharsets.US_ASCII);
    }

    private int offset(long address) {
        for (long[] s : segments) {
            if (address >= s[0] && address < s[0] + s[2]) {
                return Math.toIntExact(address - s[0] + s[1]);
            }
        }
        throw new IllegalArgumentException("an address outside of the ELF file's segments");
    }

    /** The hash that the System V ABI keeps beside the name of a version node. */
    private static int hash(String name) {
        int h = 0;
        for (char c : name.toCharArray()) {
            h = (h << 4) + c;
            int high = h & 0xf0000000;
            h = (h ^ high >>> 24) & ~high;
        }
        return h;
    }
}
