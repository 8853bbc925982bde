package dev.tiller.persona.methods;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The methods against numbers from numpy (make.py), closed forms and their own conditions. */
class MethodsTest {
    private static final double EXACT = 1e-9;

    static Stream<JsonObject> cases() throws IOException {
        try (InputStreamReader in = new InputStreamReader(
                MethodsTest.class.getResourceAsStream("/methods/reference.json"), StandardCharsets.UTF_8)) {
            return JsonParser.parseReader(in).getAsJsonArray().asList().stream().map(e -> e.getAsJsonObject());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithNumpy(JsonObject c) {
        double[][] pos = rows(c.getAsJsonArray("pos"));
        double[][] neg = rows(c.getAsJsonArray("neg"));
        assertArrayEquals(row(c, "mean"), MeanDifference.fit(pos, neg).direction(), EXACT);
        Fit diff = PrincipalComponent.ofDifferences(pos, neg);
        assertArrayEquals(row(c, "pca_diff"), diff.direction(), EXACT);
        assertEquals(c.get("pca_diff_share").getAsDouble(), diff.details().get("explained_variance"), EXACT);
        Fit centred = PrincipalComponent.centred(pos, neg);
        assertArrayEquals(row(c, "pca_center"), centred.direction(), EXACT);
        assertEquals(c.get("pca_center_share").getAsDouble(), centred.details().get("explained_variance"), EXACT);
        double g = c.get("shrinkage").isJsonNull()
                ? Double.NaN
                : c.get("shrinkage").getAsDouble();
        Fit lda = LinearDiscriminant.fit(pos, neg, g);
        assertArrayEquals(row(c, "lda"), lda.direction(), EXACT);
        assertEquals(c.get("lda_shrinkage").getAsDouble(), lda.details().get("shrinkage"), EXACT);
        Fit probe = LogisticProbe.fit(pos, neg, c.get("c").getAsDouble());
        assertArrayEquals(row(c, "logistic"), probe.direction(), EXACT);
        assertEquals(c.get("logistic_bias").getAsDouble(), probe.bias(), EXACT);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void theProbeConvergesWhereTheGroupsAreFarApart(long seed) {
        double[][] neg = gaussian(seed, 20, 64, 1);
        double[][] pos = gaussian(seed + 100, 20, 64, 1);
        for (double[] p : pos) {
            p[0] += 1000; // separable: without the penalty there would be no minimum
        }
        for (double c : new double[] {1e-3, 1, 1e3, 1e6}) {
            Fit fit = LogisticProbe.fit(pos, neg, c);
            assertTrue(fit.details().get("gradient") <= 1e-8 * c, () -> "C " + c + ": " + fit.details());
            assertEquals(1, Dense.norm(fit.direction()), 1e-12);
            for (int i = 0; i < 20; i++) {
                assertTrue(Dense.dot(fit.direction(), pos[i]) + fit.bias() > 0);
                assertTrue(Dense.dot(fit.direction(), neg[i]) + fit.bias() < 0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void eachMethodTurnsWithItsSamples(long seed) {
        double[][] pos = gaussian(seed, 6, 10, 1);
        double[][] neg = gaussian(seed + 50, 6, 10, 1);
        Fit[] there = {
            PrincipalComponent.ofDifferences(pos, neg),
            PrincipalComponent.centred(pos, neg),
            LinearDiscriminant.fit(pos, neg, Double.NaN),
            LogisticProbe.fit(pos, neg, 1)
        };
        Fit[] back = {
            PrincipalComponent.ofDifferences(neg, pos),
            PrincipalComponent.centred(neg, pos),
            LinearDiscriminant.fit(neg, pos, Double.NaN),
            LogisticProbe.fit(neg, pos, 1)
        };
        for (int m = 0; m < there.length; m++) {
            double cosine = Dense.dot(there[m].direction(), back[m].direction());
            assertEquals(-1, cosine, 1e-8, "method " + m);
        }
    }

    /** Rows s_i u_i v_iT with orthonormal u and v have the singular values s_i. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void findsTheFirstOfTwoCloseSingularValues(long seed) {
        int n = 120;
        int d = 300;
        double[][] u = orthonormal(gaussian(seed, n, n, 1));
        double[][] v = orthonormal(gaussian(seed + 9, n, d, 1));
        double[][] rows = new double[n][d];
        for (int i = 0; i < n; i++) {
            double s = i == 0 ? 1 : 0.999 * Math.pow(0.99, i - 1);
            for (int r = 0; r < n; r++) {
                Dense.addTo(rows[r], s * u[i][r], v[i]);
            }
        }
        TopEigen top = TopEigen.ofGram(rows);
        assertEquals(1, top.value(), 1e-12);
        assertEquals(1, Math.abs(Dense.dot(u[0], top.vector())), 1e-10);
        assertArrayEquals(top.vector(), TopEigen.ofGram(rows).vector(), 0);
    }

    @Test
    void noSpreadHasNoComponentAndTheDiscriminantIsTheMeanDifference() {
        double[][] pos = {{1, 2, 2}, {1, 2, 2}};
        double[][] neg = {{0, 0, 0}, {0, 0, 0}};
        assertArrayEquals(
                new double[3], PrincipalComponent.ofDifferences(pos, neg).direction(), 0);
        double[] third = {1 / 3.0, 2 / 3.0, 2 / 3.0};
        assertArrayEquals(third, PrincipalComponent.centred(pos, neg).direction(), 1e-15);
        assertArrayEquals(third, LinearDiscriminant.fit(pos, neg, Double.NaN).direction(), 1e-15);
        assertArrayEquals(new double[3], LogisticProbe.fit(pos, pos, 1).direction(), 0);
    }

    /** With S = diag(a, b) and no shrinkage to speak of: w = S^-1 (difference of means). */
    @Test
    void theDiscriminantWeighsByVariance() {
        double[][] pos = {{1 + 2, 1}, {1 - 2, 1}, {1, 1 + 1}, {1, 1 - 1}};
        double[][] neg = {{2, 0}, {-2, 0}, {0, 1}, {0, -1}};
        double[] w = LinearDiscriminant.fit(pos, neg, 0).direction();
        assertEquals(4, w[1] / w[0], 1e-4); // variances 2 and 0.5
    }

    private static double[][] gaussian(long seed, int n, int d, double scale) {
        Random random = new Random(seed);
        double[][] rows = new double[n][d];
        for (double[] r : rows) {
            for (int i = 0; i < d; i++) {
                r[i] = scale * random.nextGaussian();
            }
        }
        return rows;
    }

    private static double[][] orthonormal(double[][] rows) {
        for (int i = 0; i < rows.length; i++) {
            for (int twice = 0; twice < 2; twice++) {
                for (int j = 0; j < i; j++) {
                    Dense.addTo(rows[i], -Dense.dot(rows[i], rows[j]), rows[j]);
                }
            }
            rows[i] = Dense.unit(rows[i]);
        }
        return rows;
    }

    private static double[][] rows(JsonArray a) {
        return a.asList().stream().map(r -> row(r.getAsJsonArray())).toArray(double[][]::new);
    }

    private static double[] row(JsonObject o, String key) {
        return row(o.getAsJsonArray(key));
    }

    private static double[] row(JsonArray a) {
        return a.asList().stream().mapToDouble(e -> e.getAsDouble()).toArray();
    }
}
