package dev.tiller.persona.vectors;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.ProgramVersion;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;

/** What every vector file says of its making. */
final class Provenance {
    private Provenance() {}

    /** SHA-256 of a file, as hexadecimal digits. */
    static String sha256(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] chunk = new byte[1 << 16];
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                digest.update(chunk, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be read (" + e + ")", e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Lengths by block; a list of lengths where a block has several directions. */
    static JsonObject statistics(SortedMap<Integer, float[][]> directions) {
        JsonArray blocks = new JsonArray();
        JsonArray norms = new JsonArray();
        directions.forEach((block, rows) -> {
            blocks.add(block);
            if (rows.length == 1) {
                norms.add(Vectors.norm(rows[0]));
                return;
            }
            JsonArray several = new JsonArray();
            for (float[] row : rows) {
                several.add(Vectors.norm(row));
            }
            norms.add(several);
        });
        JsonObject o = new JsonObject();
        o.addProperty("per", "block");
        o.add("blocks", blocks);
        o.add("vector_norm", norms);
        return o;
    }

    static Map<String, String> origin() {
        Map<String, String> m = new LinkedHashMap<>();
        m.put("created_by", "tiller " + ProgramVersion.number());
        m.put("created_at", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return m;
    }
}
