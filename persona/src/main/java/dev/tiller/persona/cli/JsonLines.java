package dev.tiller.persona.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Input and output with one JSON value per line, for other programs. */
final class JsonLines {
    private static final Gson GSON =
            new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

    private final InputStream in;
    private int number;

    JsonLines(InputStream in) {
        this.in = in;
    }

    /**
     * The next line without its line feed, or null at the end. Only a line feed ends a line: JSON strings may hold every
     * other kind of line end.
     */
    String next() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int b = in.read();
        if (b < 0) {
            return null;
        }
        number++;
        for (; b >= 0 && b != '\n'; b = in.read()) {
            line.write(b);
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(line.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new TillerException(where() + ": not valid UTF-8", e);
        }
    }

    /** Where the last line came from, for messages. */
    String where() {
        return "standard input, line " + number;
    }

    /** One compact line. */
    static String write(JsonElement value) {
        return GSON.toJson(value);
    }

    static JsonArray array(int[] values) {
        JsonArray array = new JsonArray(values.length);
        for (int v : values) {
            array.add(v);
        }
        return array;
    }
}
