package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** A vector while it is being imported. */
final class Draft {
    final Tool tool;
    final SortedMap<Integer, float[][]> directions = new TreeMap<>();
    final Map<String, float[]> extras = new LinkedHashMap<>();

    /** Things the user should know; they go to the file as well. */
    final List<String> notes = new ArrayList<>();

    /** What the file says of its origin. */
    final JsonObject source = new JsonObject();

    /** Keys of our file that the reader knows more about than the habit of the tool. */
    final Map<String, String> metadata = new LinkedHashMap<>();

    /** What is known of the model: type, hidden_size, blocks. */
    final JsonObject model = new JsonObject();

    Site site = Site.RESID_POST;
    String op;
    String layers;

    Draft(Tool tool) {
        this.tool = tool;
        this.op = tool.op();
        this.layers = tool.rule();
    }

    /** Takes the directions of a layer as the tool counts it; the embedding is kept beside the directions. */
    void layer(int layer, float[]... rows) {
        int block = tool.block(layer);
        if (layer < 0 || block > 999_999) {
            throw new TillerException("layer " + layer + " is out of range; layers count from 0");
        }
        if (block >= 0) {
            block(block, rows);
        } else if (rows.length == 1) {
            extras.put("embedding", rows[0]);
            notes.add("layer " + layer + " is the embedding; it is kept as \"embedding\" and not steered with");
        } else {
            notes.add("layer " + layer + " is the embedding; left out");
        }
    }

    void block(int block, float[]... rows) {
        if (directions.put(block, rows) != null) {
            throw new TillerException("block " + block + ": expected one direction, found two");
        }
    }

    void put(String key, JsonObject value) {
        metadata.put(key, value.toString());
    }
}
