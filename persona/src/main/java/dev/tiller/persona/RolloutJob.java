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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A file of rollouts that grows row by row and can be continued after an interruption. A row that was cut off in the
 * middle is removed on opening; the settings beside the file say what made it.
 */
final class RolloutJob implements AutoCloseable {
    private final Path csv;
    private final String trait;
    private final FileChannel channel;
    private final List<Rollout> finished;

    private RolloutJob(Path csv, String trait, FileChannel channel, List<Rollout> finished) {
        this.csv = csv;
        this.trait = trait;
        this.channel = channel;
        this.finished = finished;
    }

    static RolloutJob open(Path csv, Trait trait, Pole pole, RolloutOptions options, Judge judge, Model model) {
        Path settingsFile = csv.resolveSibling(csv.getFileName() + ".settings.json");
        JsonObject settings = settings(trait, pole, options, judge, model);
        if (Files.exists(settingsFile)) {
            checkSame(settings, settingsFile, csv);
        } else if (Files.exists(csv)) {
            throw new TillerException(csv + ": exists, but " + settingsFile.getFileName()
                    + " does not, so it cannot be continued; remove it or choose another file");
        } else {
            String text = settings + "\n";
            AtomicFiles.write(settingsFile, text.getBytes(StandardCharsets.UTF_8));
        }
        try {
            FileChannel channel =
                    FileChannel.open(csv, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            try {
                lock(csv, channel);
                List<Rollout> finished = recover(csv, channel, trait.name(), judge != null, model);
                return new RolloutJob(csv, trait.name(), channel, finished);
            } catch (RuntimeException | IOException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw AtomicFiles.failed(csv, "cannot be opened", e);
        }
    }

    /** Two runs that append to one file would mix their rows. The lock goes with the channel. */
    private static void lock(Path csv, FileChannel channel) throws IOException {
        boolean free;
        try {
            free = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            free = false;
        }
        if (!free) {
            throw new TillerException(csv + ": another run is writing it");
        }
    }

    /** Reads the complete rows, cuts off the rest, and leaves the channel at the end. */
    private static List<Rollout> recover(Path csv, FileChannel channel, String trait, boolean judged, Model model)
            throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(channel.size()));
        while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
            // reads until the buffer is full
        }
        // Bytes that are no characters can only be the end of a row that was cut off; they decode to U+FFFD.
        String text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
        String complete = text.substring(0, Csv.completeLength(text));
        if (complete.isEmpty()) {
            complete = RolloutCsv.header(trait, judged);
            channel.truncate(0);
            writeAll(channel, complete);
            return new ArrayList<>();
        }
        byte[] again = complete.getBytes(StandardCharsets.UTF_8);
        int length = again.length;
        if (Arrays.mismatch(again, 0, length, bytes.array(), 0, Math.min(length, bytes.position())) >= 0) {
            throw new TillerException(csv + ": is not UTF-8 text");
        }
        channel.truncate(length);
        channel.position(length);
        return RolloutCsv.parse(complete, csv.toString(), trait, model);
    }

    private static JsonObject settings(Trait trait, Pole pole, RolloutOptions options, Judge judge, Model model) {
        JsonObject s = new JsonObject();
        s.addProperty("trait", trait.name());
        s.addProperty("pole", pole.key());
        s.addProperty("model", model.fingerprint());
        s.addProperty("judge", judge == null ? "none" : judge.describe());
        s.addProperty("samples", options.samples());
        s.addProperty("temperature", options.temperature());
        s.addProperty("max_tokens", options.maxTokens());
        s.addProperty("seed", options.seed());
        JsonArray questions = new JsonArray();
        options.questions().forEach(questions::add);
        s.add("questions", questions);
        s.addProperty("instruction_pairs", options.instructionPairs());
        return s;
    }

    private static void checkSame(JsonObject settings, Path settingsFile, Path csv) {
        JsonObject before = Json.readObject(settingsFile);
        for (String key : settings.keySet()) {
            JsonElement now = settings.get(key);
            if (!now.toString().equals(String.valueOf(before.get(key)))) {
                throw new TillerException(csv + ": was made with " + key + " " + before.get(key) + ", now it is " + now
                        + "; remove it and " + settingsFile.getFileName() + " or choose another file");
            }
        }
    }

    /** Rows that an earlier run finished. */
    List<Rollout> finished() {
        return finished;
    }

    /** The finished rows must answer the first of these prompts, in order. */
    void checkPrompts(List<String> prompts) {
        if (finished.size() > prompts.size()) {
            throw new TillerException(
                    csv + ": has " + finished.size() + " rows, these settings make " + prompts.size());
        }
        for (int i = 0; i < finished.size(); i++) {
            if (!finished.get(i).prompt().equals(prompts.get(i))) {
                throw new TillerException(csv + ": row " + (i + 1)
                        + " answers another prompt than these settings make; remove it or choose another file");
            }
        }
    }

    /** Adds one row, complete. */
    void append(Rollout rollout) {
        try {
            writeAll(channel, RolloutCsv.row(trait, rollout));
        } catch (IOException e) {
            throw AtomicFiles.failed(csv, "cannot be written", e);
        }
    }

    private static void writeAll(FileChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    @Override
    public void close() {
        try {
            channel.force(true);
            channel.close();
        } catch (IOException e) {
            throw AtomicFiles.failed(csv, "cannot be closed", e);
        }
    }
}
