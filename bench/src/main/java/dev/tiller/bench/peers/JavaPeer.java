package dev.tiller.bench.peers;

import dev.tiller.bench.Entrant;
import dev.tiller.bench.Sample;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Another engine in Java: its jar, started for each round in a Java machine of its own with the options that its manual
 * names. It is asked to continue a text of about as many words as the prefill row has tokens; its own figures for prompt
 * and generation, which it prints at the end, are the rows. They contain its warm-up, as its users see it.
 */
final class JavaPeer implements Entrant {
    private static final int SHORTEST_GENERATION = 256;

    private final String name;
    private final String weights;
    private final Pattern figures;
    private final Function<String, List<String>> command;
    private final Map<String, String> environment;
    private final int prompt;

    private JavaPeer(
            String name,
            String weights,
            int prompt,
            Pattern figures,
            Map<String, String> environment,
            Function<String, List<String>> command) {
        this.name = name;
        this.weights = weights;
        this.prompt = prompt;
        this.figures = figures;
        this.environment = environment;
        this.command = command;
    }

    /** Jlama's command line on a Hugging Face directory; it prints "123 tokens/s (prompt), 45 tokens/s (gen)". */
    static JavaPeer jlama(Path jar, Path model, String weights, Shapes shapes) {
        return new JavaPeer(
                "Jlama, " + jar.getFileName(),
                weights,
                shapes.prompt(),
                Pattern.compile("([\\d.,]+) tokens/s \\(prompt\\), ([\\d.,]+) tokens/s \\(gen\\)"),
                Map.of(),
                text -> {
                    List<String> c = java();
                    c.add("--add-opens=jdk.incubator.vector/jdk.incubator.vector=ALL-UNNAMED");
                    c.add("--add-exports=java.base/sun.nio.ch=ALL-UNNAMED");
                    c.addAll(List.of("-jar", jar.toString(), "complete", "--temperature=0.0"));
                    c.add("--tokens=" + Math.max(SHORTEST_GENERATION, shapes.decode()));
                    c.add("--threads=" + shapes.threads());
                    c.addAll(List.of("--prompt=" + text, model.toString()));
                    return c;
                });
    }

    /** llama3.java on a GGUF file; it prints "prompt: 12.34 tokens/s (512) generation: 5.67 tokens/s (64)". */
    static JavaPeer llama3(Path jar, Path file, String weights, Shapes shapes) {
        Map<String, String> environment = Map.of();
        return new JavaPeer(
                "llama3.java, " + jar.getFileName(),
                weights,
                shapes.prompt(),
                Pattern.compile("prompt: ([\\d.,]+) tokens/s \\(\\d+\\) generation: ([\\d.,]+) tokens/s"),
                environment,
                text -> {
                    List<String> c = java();
                    c.add("-Djava.util.concurrent.ForkJoinPool.common.parallelism=" + shapes.threads());
                    c.addAll(List.of("-jar", jar.toString(), "--model", file.toString(), "--prompt", text));
                    int tokens = shapes.prompt() + Math.max(SHORTEST_GENERATION, shapes.decode());
                    c.addAll(List.of("--temperature", "0", "--stream", "false"));
                    c.addAll(List.of("--max-tokens", String.valueOf(tokens)));
                    return c;
                });
    }

    private static List<String> java() {
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-preview",
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules=jdk.incubator.vector"));
    }

    @Override
    public List<Sample> round() {
        Programs.Output output =
                Programs.run(command.apply("the ".repeat(prompt).strip()), environment);
        double[] found = parse(output.out() + "\n" + output.err());
        return List.of(new Sample("prefill", weights, 1, found[0]), new Sample("decode", weights, 1, found[1]));
    }

    /** Tokens per second of prompt and generation. */
    double[] parse(String text) {
        Matcher m = figures.matcher(text);
        if (!m.find()) {
            String t = text.strip();
            throw new TillerException(name + ": expected a line like \"" + figures.pattern() + "\", found \""
                    + t.substring(Math.max(0, t.length() - 200)) + "\"");
        }
        return new double[] {number(m.group(1)), number(m.group(2))};
    }

    private static double number(String text) {
        return Double.parseDouble(text.replace(',', '.'));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Map<String, Double> facts() {
        return Map.of();
    }

    @Override
    public void close() {}
}
