package dev.tiller.loader.hub;

/** Hears how a download goes, on the thread that asked for it. */
public interface PullListener {
    /** Tells nobody. */
    PullListener NONE = new PullListener() {
        @Override
        public void bytes(long done, long total) {}

        @Override
        public void note(String line) {}
    };

    /**
     * Several times a second, also while nothing comes.
     *
     * @param done bytes that are here, of all files, with those of earlier downloads
     */
    void bytes(long done, long total);

    /** Something that a person should know. */
    void note(String line);
}
