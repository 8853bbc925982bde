package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The natives that really come with JCuda. */
class ElfLibraryTest {
    static byte[] resource(String name) throws IOException {
        String file = "/lib/lib" + name + "-12.6.0-linux-x86_64.so";
        try (InputStream in = ElfLibraryTest.class.getResourceAsStream(file)) {
            return in.readAllBytes();
        }
    }

    @ParameterizedTest
    @CsvSource({"JCublas2, libcublas.so.12, libcublas.so.13", "JNvrtc, libnvrtc.so.12, libnvrtc.so.13"})
    void asksForTheOtherVersionAndIsElseTheSame(String name, String from, String to) throws IOException {
        byte[] before = resource(name);
        byte[] after = before.clone();
        ElfLibrary elf = new ElfLibrary(after);
        assertTrue(elf.needed().contains(from), elf.needed()::toString);
        assertTrue(elf.versions().contains(from + ": " + from), elf.versions()::toString);
        List<String> otherNeeds = new ArrayList<>(elf.needed());
        assertEquals(2, elf.rename(from, to), "one name, which the list and the version node share, and its hash");
        otherNeeds.replaceAll(n -> n.equals(from) ? to : n);

        ElfLibrary again = new ElfLibrary(after);
        assertEquals(otherNeeds, again.needed());
        assertTrue(again.versions().contains(to + ": " + to), again.versions()::toString);
        assertFalse(String.join(" ", again.versions()).contains(from));
        // The names differ in their last digit by one, and so do their hashes: two bytes of the whole file.
        List<String> changes = new ArrayList<>();
        for (int i = 0; i < before.length; i++) {
            if (before[i] != after[i]) {
                changes.add(before[i] + " to " + after[i]);
            }
        }
        byte hash = (byte) elfHash(from);
        assertEquals(2, changes.size(), changes::toString);
        assertTrue(changes.contains((byte) '2' + " to " + (byte) '3'), changes::toString);
        assertTrue(changes.contains(hash + " to " + (byte) (hash + 1)), changes::toString);
        assertEquals(elfHash(from) + 1, elfHash(to));
    }

    /** As the ABI gives it, written down a second time. */
    private static long elfHash(String name) {
        long h = 0;
        for (byte c : name.getBytes(StandardCharsets.US_ASCII)) {
            h = (h << 4) + c;
            long g = h & 0xf0000000L;
            if (g != 0) {
                h ^= g >> 24;
            }
            h &= ~g;
        }
        return h;
    }

    @Test
    void theDriversNativeNeedsNoToolkit() throws IOException {
        ElfLibrary elf = new ElfLibrary(resource("JCudaDriver"));
        assertTrue(elf.needed().contains("libcuda.so.1"), elf.needed()::toString);
        assertTrue(elf.needed().stream().noneMatch(n -> n.matches(".*\\.so\\.1[0-9]")), elf.needed()::toString);
    }

    @Test
    void whatIsNotNeededIsNotChanged() throws IOException {
        byte[] bytes = resource("JNvrtc");
        byte[] before = bytes.clone();
        assertEquals(0, new ElfLibrary(bytes).rename("libother.so.12", "libother.so.13"));
        assertArrayEquals(before, bytes);
        assertThrows(IllegalArgumentException.class, () -> new ElfLibrary(bytes).rename("libnvrtc.so.12", "libx.so.9"));
    }

    @Test
    void refusesWhatIsNoLibrary() throws IOException {
        byte[] real = resource("JNvrtc");
        assertThrows(IllegalArgumentException.class, () -> new ElfLibrary(new byte[0]));
        assertThrows(IllegalArgumentException.class, () -> new ElfLibrary(new byte[5000]));
        assertThrows(IllegalArgumentException.class, () -> new ElfLibrary(Arrays.copyOf(real, 300)));
        byte[] arm = real.clone();
        arm[18] = (byte) 183;
        assertThrows(IllegalArgumentException.class, () -> new ElfLibrary(arm));
    }

    @Test
    void tellsLoadableFiles(@TempDir Path dir) throws IOException {
        byte[] real = resource("JNvrtc");
        Path good = Files.write(dir.resolve("good.so"), real);
        byte[] narrow = real.clone();
        narrow[4] = 1;
        assertTrue(ElfLibrary.isLoadable(good));
        assertFalse(ElfLibrary.isLoadable(Files.write(dir.resolve("narrow.so"), narrow)));
        Path cut = Files.write(dir.resolve("cut.so"), Arrays.copyOf(real, real.length / 2));
        assertFalse(ElfLibrary.isLoadable(cut), "half of a file");
        assertFalse(ElfLibrary.isLoadable(Files.writeString(dir.resolve("script.so"), "INPUT(libcublas.so)")));
        assertFalse(ElfLibrary.isLoadable(dir.resolve("absent.so")));
        assertFalse(ElfLibrary.isLoadable(dir));
    }
}
