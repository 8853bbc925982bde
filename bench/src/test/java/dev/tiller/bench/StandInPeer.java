package dev.tiller.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A peer that measures nothing: it answers like one, and names the options it was given. */
final class StandInPeer {
    private StandInPeer() {}

    public static void main(String[] args) throws IOException {
        System.out.println("{\"name\": \"" + String.join(" ", List.of(args).subList(2, args.length))
                + "\", \"facts\": {\"read GB/s\": 2}}");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (in.readLine() != null) {
            System.out.println("{\"rows\": [" + row("decode") + ", " + row("decode base") + ", " + row("prefill_24")
                    + ", " + row("matmuls_24") + "]}");
        }
    }

    private static String row(String name) {
        return "{\"name\": \"" + name + "\", \"weights\": \"f32\", \"batch\": 1, \"tokens_per_second\": 8}";
    }
}
