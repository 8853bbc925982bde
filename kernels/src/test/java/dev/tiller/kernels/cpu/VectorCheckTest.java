package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Starts Java machines with options that keep vectors from becoming vector instructions, and some without. */
@Timeout(180)
class VectorCheckTest {
    private static String output(int load, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--add-modules=jdk.incubator.vector");
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(VectorCheckProbe.class.getName(), String.valueOf(load)));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return text;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 6})
    void saysNothingWhereVectorsAreFastHoweverLoadedTheMachine(int load) throws Exception {
        String text = output(load);
        assertTrue(text.contains("opened: simd, ") && text.endsWith("checked\n"), text);
        assertFalse(text.contains("SLOW"), text);
    }

    @Test
    void warnsWhenJavaInterprets() throws Exception {
        assertWarns(output(0, "-Xint"), "Java only interprets; start it without -Xint");
    }

    @Test
    void warnsWithoutTheOptimisingCompiler() throws Exception {
        assertWarns(output(0, "-XX:TieredStopAtLevel=1"), "start it without -XX:TieredStopAtLevel");
    }

    @Test
    void warnsOfVectorsWiderThanTheProcessorHas() throws Exception {
        assumeTrue(isX86(), "other processors have no -XX:UseAVX");
        assumeTrue(SimdBackend.preferredBits() >= 256, "this processor has no vectors of 256 bits");
        String text = output(0, "-XX:UseAVX=2", "-Dtiller.vector.bits=512");
        assertWarns(text, "this processor has vectors of 256 bits; leave out -Dtiller.vector.bits=512");
        assertTrue(text.contains("512-bit vectors (SLOW: "), text);
    }

    @Test
    void warnsWithoutAvx() throws Exception {
        assumeTrue(isX86(), "other processors have no -XX:UseAVX");
        assertWarns(output(0, "-XX:UseAVX=0"), "Java uses no AVX2 here; start it without -XX:UseAVX");
    }

    @Test
    void warnsWhereVectorsAreSwitchedOff() throws Exception {
        String text = output(0, "-XX:+UnlockExperimentalVMOptions", "-XX:-EnableVectorSupport");
        assertWarns(text, "does not compile jdk.incubator.vector to vector instructions; use an OpenJDK 25");
    }

    @Test
    void aJavaMachineOfAnotherKindIsNamed() {
        String cause = VectorCheck.cause("mixed mode", 512, 512, "amd64");
        assertTrue(cause.contains(System.getProperty("java.vm.name")), cause);
        assertEquals(cause, VectorCheck.cause("", 128, 128, "aarch64"));
    }

    private static boolean isX86() {
        return Map.of("amd64", true, "x86_64", true).containsKey(System.getProperty("os.arch"));
    }

    private static void assertWarns(String text, String remedy) {
        assertTrue(text.contains("tiller: WARNING: vector code takes "), text);
        assertTrue(text.contains(remedy), text);
        assertTrue(text.endsWith("checked\n"), text);
    }
}
