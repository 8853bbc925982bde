package dev.tiller.persona;

import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;

/** The bundled model with its traits and judges. */
final class Microworld {
    static final Path DIRECTORY = SharedFiles.repository("models/microworld");

    /** Answers are short; its own tests use the same limit. */
    static final int MAX_TOKENS = 56;

    private Microworld() {}

    static Model load() {
        return Model.load(DIRECTORY, LoadOptions.DEFAULT);
    }

    static Trait trait(String name) {
        return Trait.read(DIRECTORY.resolve("traits/" + name + ".json"));
    }

    static RuleJudge judge(String name) {
        return RuleJudge.read(DIRECTORY.resolve("judge/" + name + ".json"));
    }
}
