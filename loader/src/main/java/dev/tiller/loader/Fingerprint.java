package dev.tiller.loader;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * Identity of a model for vector files: SHA-256 over the configuration fields that shape the computation and, for each
 * tensor in name order, its name, type, shape and a sample of its bytes (the first and the last 4 KiB).
 */
public final class Fingerprint {
    private static final int SAMPLE = 4096;

    private Fingerprint() {}

    /** The fingerprint in hex, independent of the order of the tensors and of the files they lie in. */
    public static String of(ModelConfig config, Iterable<TensorView> tensors) {
        MessageDigest sha256 = sha256();
        List<TensorView> sorted = new ArrayList<>();
        tensors.forEach(sorted::add);
        sorted.sort(Comparator.comparing(TensorView::name));
        try (DataOutputStream out =
                new DataOutputStream(new DigestOutputStream(OutputStream.nullOutputStream(), sha256))) {
            write(config, out);
            for (TensorView tensor : sorted) {
                write(tensor, out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Cannot happen: the bytes go nowhere.
        }
        return HexFormat.of().formatHex(sha256.digest());
    }

    private static void write(ModelConfig c, DataOutputStream out) throws IOException {
        text("tiller model 1", out);
        text(c.modelType(), out);
        for (int size : new int[] {
            c.hiddenSize(), c.intermediateSize(), c.blocks(), c.heads(), c.kvHeads(), c.headDim(), c.vocabSize()
        }) {
            out.writeInt(size);
        }
        out.writeFloat(c.norms().eps());
        write(c.rope(), out);
        text(c.mlp().activation(), out);
        out.writeBoolean(c.tiedEmbeddings());
        out.writeBoolean(c.attentionBias());
        out.writeBoolean(c.mlpBias());
        List<Integer> windows =
                c.perBlock().stream().map(ModelConfig.Block::window).distinct().toList();
        out.writeInt(windows.size() == 1 ? windows.getFirst() : -1);
        String more = more(c);
        if (!more.isEmpty()) {
            text(more, out);
        }
    }

    private static void write(RopeConfig rope, DataOutputStream out) throws IOException {
        if (rope == null) {
            text("none", out);
            return;
        }
        text(rope.type(), out);
        out.writeDouble(rope.theta());
        out.writeDouble(rope.factor());
        out.writeDouble(rope.lowFreqFactor());
        out.writeDouble(rope.highFreqFactor());
        out.writeInt(rope.originalMaxPositions());
        out.writeInt(rope.rotaryDim());
    }

    /**
     * What a plain model (Llama, Qwen2) does not have, as text; empty for one. So the fingerprints of plain models stay what
     * they were before there were others.
     */
    private static String more(ModelConfig c) {
        ModelConfig.Attention a = c.attention();
        ModelConfig.Norms n = c.norms();
        RopeConfig r = c.rope();
        boolean plain = a.scale() == (float) (1 / Math.sqrt(a.headDim()))
                && a.softCap() == 0
                && a.headNorm() == ModelConfig.HeadNorm.NONE
                && c.mlp().gated()
                && c.mlp().mixture() == null
                && n.kind() == ModelConfig.NormKind.RMS
                && n.offset() == 0
                && c.scales().equals(new ModelConfig.Scales(1, 1, 1, 0))
                && c.localRope() == null
                && r != null
                && r.attentionFactor() == 1
                && r.ramp() == null
                && r.divisors() == null
                && !c.parallel()
                && c.perBlock().stream().distinct().count() == 1
                && c.perBlock().getFirst().rotation() == ModelConfig.Rotation.GLOBAL;
        return plain
                ? ""
                : List.of(a, c.mlp(), n, c.scales(), c.parallel(), String.valueOf(r), String.valueOf(c.localRope()))
                        + c.perBlock().toString();
    }

    private static void write(TensorView tensor, DataOutputStream out) throws IOException {
        text(tensor.name(), out);
        text(tensor.dtype().name(), out);
        long[] shape = tensor.shape();
        out.writeInt(shape.length);
        for (long dimension : shape) {
            out.writeLong(dimension);
        }
        MemorySegment data = tensor.data();
        long head = Math.min(SAMPLE, data.byteSize());
        long tail = Math.min(SAMPLE, data.byteSize() - head);
        out.write(data.asSlice(0, head).toArray(ValueLayout.JAVA_BYTE));
        out.write(data.asSlice(data.byteSize() - tail, tail).toArray(ValueLayout.JAVA_BYTE));
    }

    /** Length first, so that no two sequences of texts give the same bytes. */
    private static void text(String text, DataOutputStream out) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
