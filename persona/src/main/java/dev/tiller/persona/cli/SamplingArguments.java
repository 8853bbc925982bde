package dev.tiller.persona.cli;

import dev.tiller.engine.SamplingOptions;
import dev.tiller.loader.GenerationConfig;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** How tokens are drawn: what the user gave, else what the model's generation_config.json says, else greedy. */
final class SamplingArguments {
    private static final int DEFAULT_TOKENS = 128;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Most new tokens (default: as the model says, else " + DEFAULT_TOKENS + ").")
    private Integer maxTokens;

    @Option(names = "--temperature", paramLabel = "T", description = "0 always takes the most likely token.")
    private Double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Draw from the K most likely tokens; 0 for all.")
    private Integer topK;

    @Option(names = "--top-p", paramLabel = "P", description = "Draw from the smallest set with that probability.")
    private Double topP;

    @Option(names = "--min-p", paramLabel = "P", description = "Drop what is less likely than P times the most likely.")
    private Double minP;

    @Option(names = "--repetition-penalty", paramLabel = "R", description = "Above 1: makes seen tokens less likely.")
    private Double repetitionPenalty;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "The same seed gives the same text (default: 0).")
    private long seed;

    long seed() {
        return seed;
    }

    int maxTokens(GenerationConfig config) {
        if (maxTokens != null) {
            return maxTokens;
        }
        return config.maxNewTokens() != null ? config.maxNewTokens() : DEFAULT_TOKENS;
    }

    /** The options in force. */
    SamplingOptions resolve(GenerationConfig config) {
        boolean draws = Boolean.TRUE.equals(config.doSample());
        double t = temperature != null ? temperature : draws ? or(config.temperature(), 1.0) : 0;
        return new SamplingOptions(
                t,
                or(topK, or(config.topK(), 0)),
                or(topP, or(config.topP(), 1.0)),
                or(minP, or(config.minP(), 0.0)),
                or(repetitionPenalty, or(config.repetitionPenalty(), 1.0)));
    }

    /** One line that says what is in force and where each value comes from. */
    String describe(GenerationConfig config) {
        SamplingOptions o = resolve(config);
        List<String> parts = new ArrayList<>();
        boolean said = config.doSample() != null;
        if (o.temperature() == 0) {
            parts.add("greedy" + origin(temperature, said));
        } else {
            parts.add("temperature " + o.temperature() + origin(temperature, config.temperature() != null));
            if (o.topK() != 0) {
                parts.add("top-k " + o.topK() + origin(topK, config.topK() != null));
            }
            if (o.topP() != 1) {
                parts.add("top-p " + o.topP() + origin(topP, config.topP() != null));
            }
            if (o.minP() != 0) {
                parts.add("min-p " + o.minP() + origin(minP, config.minP() != null));
            }
            parts.add("seed " + seed);
        }
        if (o.repetitionPenalty() != 1) {
            parts.add("repetition penalty " + o.repetitionPenalty()
                    + origin(repetitionPenalty, config.repetitionPenalty() != null));
        }
        return "sampling: " + String.join(", ", parts);
    }

    private static String origin(Object given, boolean fromModel) {
        return given != null ? "" : fromModel ? " (the model's setting)" : " (default)";
    }

    private static <T> T or(T value, T fallback) {
        return value != null ? value : fallback;
    }
}
