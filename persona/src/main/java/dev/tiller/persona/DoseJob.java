package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;

/**
 * A file of finished answers that grows line by line, so that an interrupted run can go on: the settings in its first line,
 * then one JSON object per answer in the order in which they were finished. A line that was cut off is removed on opening.
 */
final class DoseJob implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;
    private final Map<Integer, DoseAnswer> finished = new TreeMap<>();

    private DoseJob(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** Opens the file, or begins it; one that was made with other settings is refused. */
    static DoseJob open(Path file, DoseOptions options, Model model) {
        try {
            FileChannel channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            DoseJob job = new DoseJob(file, channel);
            try {
                job.lock();
                job.recover(settings(options, model));
                return job;
            } catch (RuntimeException | IOException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw AtomicFiles.failed(file, "cannot be opened", e);
        }
    }

    private void lock() throws IOException {
        boolean free;
        try {
            free = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            free = false;
        }
        if (!free) {
            throw new TillerException(file + ": another run is writing it");
        }
    }

    private void recover(JsonObject settings) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(channel.size()));
        while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
            // reads until the buffer is full
        }
        int end = bytes.position();
        while (end > 0 && bytes.get(end - 1) != '\n') {
            end--;
        }
        if (end == 0 && bytes.position() > 0 && bytes.get(0) != '{') {
            throw new TillerException(file + ": is no file of answers; choose another one");
        }
        channel.truncate(end);
        channel.position(end);
        if (end == 0) {
            append(settings);
            return;
        }
        String[] lines = new String(bytes.array(), 0, end, StandardCharsets.UTF_8).split("\n");
        checkSame(Json.parseObject(lines[0], file + ": line 1"), settings);
        for (int i = 1; i < lines.length; i++) {
            String where = file + ": line " + (i + 1);
            JsonObject o = Json.parseObject(lines[i], where);
            JsonArray ids = Json.array(o, "ids", where);
            int[] tokens = new int[ids.size()];
            for (int t = 0; t < tokens.length; t++) {
                tokens[t] = ids.get(t).getAsInt();
            }
            finished.put(
                    Json.integer(o, "request", where),
                    new DoseAnswer(
                            tokens,
                            Json.string(o, "text", where),
                            o.get("ended").getAsBoolean()));
        }
    }

    private void checkSame(JsonObject before, JsonObject now) {
        for (String key : now.keySet()) {
            JsonElement was = before.get(key);
            if (!now.get(key).toString().equals(String.valueOf(was))) {
                throw new TillerException(file + ": was made with " + key + " " + was + ", now it is " + now.get(key)
                        + "; remove it or choose another file");
            }
        }
    }

    private static JsonObject settings(DoseOptions o, Model model) {
        JsonObject s = new JsonObject();
        s.addProperty("model", model.fingerprint());
        s.addProperty("weights", model.weightFormats());
        s.addProperty("vector", o.vector().sha256());
        s.addProperty("block", o.block());
        s.addProperty("unit", DoseReport.unit(o.unit()));
        s.addProperty("coefficients", o.coefficients().toString());
        s.addProperty(
                "calibration",
                Hashes.sha256(String.valueOf(o.vector().calibration().get(o.block()))));
        s.addProperty("instruction", o.instruction());
        s.addProperty("prompts", Hashes.sha256(o.prompts().toArray(String[]::new)));
        s.addProperty("random_vectors", o.randomVectors());
        s.addProperty("temperature", o.temperature());
        s.addProperty("max_tokens", o.maxTokens());
        s.addProperty("seed", o.seed());
        return s;
    }

    /** Answers that earlier runs finished, by the number of their request. */
    Map<Integer, DoseAnswer> finished() {
        return finished;
    }

    void append(int request, DoseAnswer answer) {
        JsonObject o = new JsonObject();
        o.addProperty("request", request);
        o.addProperty("text", answer.text());
        o.addProperty("ended", answer.ended());
        JsonArray ids = new JsonArray();
        for (int id : answer.ids()) {
            ids.add(id);
        }
        o.add("ids", ids);
        append(o);
    }

    private void append(JsonObject o) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap((o + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw AtomicFiles.failed(file, "cannot be written", e);
        }
    }

    @Override
    public void close() {
        try {
            channel.force(true);
            channel.close();
        } catch (IOException e) {
            throw AtomicFiles.failed(file, "cannot be closed", e);
        }
    }
}
