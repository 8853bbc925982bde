package dev.tiller.loader.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** The tokenizers library, 0.21, through DJL; skips the test on a platform that its jar has no binary for. */
final class RustTokenizer implements AutoCloseable {
    private final HuggingFaceTokenizer tokenizer;

    RustTokenizer(Path file) throws IOException {
        Assumptions.assumeTrue(hasBinary(), "no binary of the Rust tokenizers for this platform in DJL's jar");
        tokenizer = HuggingFaceTokenizer.newInstance(
                Files.newInputStream(file), Map.of("truncation", "do_not_truncate", "padding", "do_not_pad"));
    }

    private static boolean hasBinary() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String system = os.contains("linux") ? "linux" : os.contains("mac") ? "osx" : "win";
        String machine =
                System.getProperty("os.arch").replace("amd64", "x86_64").replace("arm64", "aarch64");
        String folder = "/native/lib/" + system + "-" + machine + "/cpu/";
        return Stream.of("libtokenizers.so", "libtokenizers.dylib", "tokenizers.dll")
                .anyMatch(name -> HuggingFaceTokenizer.class.getResource(folder + name) != null);
    }

    int[] encode(String text, boolean special) {
        return ints(tokenizer.encode(text, special, false).getIds());
    }

    /** Starts and ends in code points, interleaved. */
    int[] offsets(String text) {
        CharSpan[] spans = tokenizer.encode(text, false, false).getCharTokenSpans();
        return Arrays.stream(spans)
                .flatMapToInt(s -> IntStream.of(s.getStart(), s.getEnd()))
                .toArray();
    }

    String decode(int[] ids, boolean skipSpecial) {
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), skipSpecial);
    }

    private static int[] ints(long[] values) {
        return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
