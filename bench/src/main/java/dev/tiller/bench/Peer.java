package dev.tiller.bench;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Another engine in a process of its own. When it is warm it prints a line {@code {"name": ..., "facts": {...}}} (facts,
 * numbers that hold for the whole run, may be left out); for each line
 * {@code round} that it reads it measures its rows once and prints a line
 * {@code {"rows": [{"name", "weights", "batch", "tokens_per_second"}]}}. In between it waits, so that the two take turns.
 */
public final class Peer implements Entrant {
    private final String program;
    private final Process process;
    private final BufferedReader answers;
    private final Writer requests;
    private final String name;
    private final Map<String, Double> facts = new LinkedHashMap<>();

    /**
     * Starts the peer of a command line.
     *
     * @param command of the option --peer, its words parted by white space; null for none
     * @param arguments that follow it
     * @param notes told what is started
     * @return null without a command
     */
    static Peer start(String command, List<String> arguments, Consumer<String> notes) {
        if (command == null) {
            return null;
        }
        List<String> words = new ArrayList<>(List.of(command.strip().split("\\s+")));
        words.addAll(arguments);
        notes.accept("starting " + String.join(" ", words));
        return new Peer(words);
    }

    public Peer(List<String> command) {
        program = String.join(" ", command);
        try {
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new TillerException("--peer " + program + ": cannot be started (" + e.getMessage() + ")", e);
        }
        answers = process.inputReader();
        requests = process.outputWriter();
        try {
            JsonObject hello = answer();
            name = Json.string(hello, "name", source());
            if (Json.has(hello, "facts")) {
                JsonObject found = Json.object(hello, "facts", source());
                found.keySet().forEach(key -> facts.put(key, Json.number(found, key, source())));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** What it calls itself. */
    @Override
    public String name() {
        return name;
    }

    /** What it measured before the rounds, such as bandwidths; units are in the names. */
    @Override
    public Map<String, Double> facts() {
        return Collections.unmodifiableMap(facts);
    }

    /** Lets it measure each of its rows once. */
    @Override
    public List<Sample> round() {
        try {
            requests.write("round\n");
            requests.flush();
        } catch (IOException e) {
            throw ended();
        }
        List<Sample> samples = new ArrayList<>();
        for (JsonElement row : Json.array(answer(), "rows", source())) {
            JsonObject o = row.getAsJsonObject();
            samples.add(new Sample(
                    Json.string(o, "name", source()),
                    Json.string(o, "weights", source()),
                    Json.integer(o, "batch", source()),
                    Json.number(o, "tokens_per_second", source())));
        }
        return samples;
    }

    private JsonObject answer() {
        try {
            String line = answers.readLine();
            if (line == null) {
                throw ended();
            }
            return Json.parseObject(line, source());
        } catch (IOException e) {
            throw ended();
        }
    }

    private String source() {
        return "--peer " + program;
    }

    private TillerException ended() {
        return new TillerException(source() + ": ended before it answered; its own messages are above");
    }

    @Override
    public void close() {
        process.destroy();
    }
}
