package dev.tiller.bench.peers;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** Where the other engines are. */
public final class PeerOptions {
    @Option(
            names = "--peers",
            description = "Takes turns with every other engine that is found: llama.cpp, torch + transformers, Jlama,"
                    + " llama3.java. --weights may name several formats then (default: bf16,q8,q4).")
    boolean wanted;

    @Option(
            names = "--llama-cpp",
            paramLabel = "DIR",
            description =
                    "With --peers: folder of llama-bench, llama-batched-bench and llama-quantize (default: the PATH).")
    Path llamaCpp;

    @Option(
            names = "--llama-version",
            paramLabel = "TEXT",
            description = "With --peers: what to call that llama.cpp, if its build does not know.")
    String llamaVersion;

    @Option(
            names = "--peer-gguf",
            paramLabel = "FILE",
            description = "With --peers: GGUF file of the same weights, if --model is a directory without one.")
    Path gguf;

    @Option(
            names = "--peer-models",
            paramLabel = "DIR",
            description =
                    "With --peers: folder for the GGUF files that are made for llama.cpp (default: target/peer-models).")
    Path models;

    @Option(
            names = "--python",
            paramLabel = "PROGRAM",
            description = "With --peers: a Python with torch and transformers (default: $PYTHON, or python3).")
    String python;

    @Option(
            names = "--jlama",
            paramLabel = "JAR",
            description = "With --peers: Jlama's command line (default: $JLAMA_JAR).")
    Path jlama;

    @Option(
            names = "--llama3-java",
            paramLabel = "JAR",
            description = "With --peers: llama3.java (default: $LLAMA3_JAVA_JAR).")
    Path llama3Java;

    /** True if peers are asked for. */
    public boolean wanted() {
        return wanted;
    }

    String python() {
        return python != null ? python : System.getenv().getOrDefault("PYTHON", "python3");
    }

    Path models() {
        return models != null ? models : home().resolve("target").resolve("peer-models");
    }

    Path jlama() {
        return jlama != null ? jlama : named("JLAMA_JAR");
    }

    Path llama3Java() {
        return llama3Java != null ? llama3Java : named("LLAMA3_JAVA_JAR");
    }

    /** The script that is torch's part. */
    static Path torchScript() {
        return home().resolve("bench").resolve("peers").resolve("torch_peer.py");
    }

    private static Path home() {
        return Path.of(System.getProperty("tiller.home", ""));
    }

    private static Path named(String variable) {
        String value = System.getenv(variable);
        return value == null || value.isBlank() ? null : Path.of(value);
    }

    /** Why a jar that was named cannot be used; null if it can, or if none was named. */
    static String obstacle(List<Path> jars) {
        for (Path jar : jars) {
            if (jar != null && !Files.isRegularFile(jar)) {
                return jar + ": no such file";
            }
        }
        return null;
    }
}
