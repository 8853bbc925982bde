package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Activation addition (ActAdd; Turner et al. 2023, arXiv 2308.10248): two prompts, filled up on the right to the same number
 * n of tokens, and their difference at every position, h_A = h_l(p+) - h_l(p-) at the input of block l, [n, d]. Nothing is
 * averaged. To steer, row i is added to the residual at position {@code at + i} of a prompt.
 */
public final class PromptDifference {
    private PromptDifference() {}

    /** The token to fill up with: a single space, as published, if the model has one; else its padding token. */
    public static int padding(Model model) {
        int[] space = model.tokenizer().encode(" ", false);
        if (space.length == 1) {
            return space[0];
        }
        OptionalInt pad = padId(model);
        return pad.orElseThrow(
                () -> new TillerException(
                        "activation addition: the model has neither a token for one space nor a padding token; name one: --pad ID"));
    }

    private static OptionalInt padId(Model model) {
        Object token = model.checkpoint().specialTokens().get("pad_token");
        int[] ids = token == null ? new int[0] : model.tokenizer().encode(token.toString(), false);
        return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
    }

    /**
     * @param name of the direction
     * @param pos prompt that shows what is wanted
     * @param neg its counterpart; may be a space, not empty
     * @param pad id of the token to fill up with
     * @return a matrix [n, d] at the input of every block, to be added position by position
     */
    public static VectorContent run(Model model, String name, String pos, String neg, int pad) {
        return run(model, name, model.encode(pos), model.encode(neg), pad);
    }

    static VectorContent run(Model model, String name, int[] posIds, int[] negIds, int pad) {
        if (posIds.length == 0 || negIds.length == 0) {
            throw new TillerException("activation addition: the " + (posIds.length == 0 ? "positive" : "negative")
                    + " prompt has no tokens; a space is the least");
        }
        int n = Math.max(posIds.length, negIds.length);
        int[] p = padded(posIds, n, pad);
        int[] m = padded(negIds, n, pad);
        if (Arrays.equals(p, m)) {
            throw new TillerException("activation addition: the prompts are the same, token by token");
        }
        Activations a = model.residuals(p, n, SteeringPlan.NONE);
        Activations b = model.residuals(m, n, SteeringPlan.NONE);
        int d = model.spec().width();
        SortedMap<Integer, float[][]> directions = new TreeMap<>();
        for (int l = 0; l < model.spec().blocks(); l++) {
            float[] x = PromptMetadata.level(a, l);
            float[] y = PromptMetadata.level(b, l);
            float[][] rows = new float[n][d];
            for (int i = 0; i < n * d; i++) {
                rows[i / d][i % d] = x[i] - y[i];
            }
            directions.put(l, rows);
        }
        JsonObject details = new JsonObject();
        details.add("positive", ids(p));
        details.add("negative", ids(m));
        details.addProperty("padding", pad);
        details.addProperty("texts_sha256", PromptMetadata.hash(List.of(p, m)));
        String positions = "every position of the prompts; row i is for position at + i";
        return new VectorContent(
                "add",
                Site.RESID_PRE,
                directions,
                Map.of(),
                PromptMetadata.of(model, name, Method.ACTADD, positions, details, directions, null));
    }

    private static int[] padded(int[] ids, int n, int pad) {
        int[] out = Arrays.copyOf(ids, n);
        Arrays.fill(out, ids.length, n, pad);
        return out;
    }

    private static JsonArray ids(int[] ids) {
        JsonArray out = new JsonArray();
        for (int id : ids) {
            out.add(id);
        }
        return out;
    }
}
