package dev.tiller.engine;

import dev.tiller.loader.TillerException;

/**
 * How an edit's coefficient or strength changes while the answer grows. Generated tokens are counted from k = 0, the
 * position whose output predicts the first of them (the last prompt token); earlier positions count as k = 0.
 */
public sealed interface Schedule {
    /** What the coefficient or strength is multiplied with at generated token k. */
    float factor(int k);

    /** factor^k. */
    record Decay(float factor) implements Schedule {
        public Decay {
            if (!(factor > 0 && factor <= 1)) {
                throw new TillerException("schedule: decay " + factor + " is outside 0 (exclusive) .. 1");
            }
        }

        @Override
        public float factor(int k) {
            return (float) Math.pow(factor, Math.max(k, 0));
        }
    }

    /** Grows evenly and is full from the tokens-th token on: (k + 1) / tokens. */
    record Ramp(int tokens) implements Schedule {
        public Ramp {
            positive("ramp", tokens);
        }

        @Override
        public float factor(int k) {
            return Math.min(1, (Math.max(k, 0) + 1f) / tokens);
        }
    }

    /** Only the first tokens. */
    record First(int tokens) implements Schedule {
        public First {
            positive("first", tokens);
        }

        @Override
        public float factor(int k) {
            return k < tokens ? 1 : 0;
        }
    }

    /** Only after so many tokens. */
    record After(int tokens) implements Schedule {
        public After {
            positive("after", tokens);
        }

        @Override
        public float factor(int k) {
            return k < tokens ? 0 : 1;
        }
    }

    private static void positive(String key, int tokens) {
        if (tokens <= 0) {
            throw new TillerException("schedule: " + key + " " + tokens + " is not a positive number of tokens");
        }
    }
}
