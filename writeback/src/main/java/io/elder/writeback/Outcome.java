package io.elder.writeback;

/** What can come of a change, as it stands in results. */
final class Outcome {
    /** The provider did it, or had it so. */
    static final String APPLIED = "applied";

    /** The provider knows no such user or group. */
    static final String GONE = "gone";

    /** The provider will not, and asking again would change nothing. */
    static final String REFUSED = "refused";

    /** It did not work this time. */
    static final String FAILED = "failed";

    /** The provider's sync had seen it so; no call was made. */
    static final String ALREADY = "already";

    /** A person's plan was released after the member had changed once more; no call was made. */
    static final String MOVED = "moved";

    /**
     * The plan is of another day: whoever forgot how far it had come, after a long stop, reads old ones again. No call was
     * made. The planner alone hears of it, and sees to what is wanted now.
     */
    static final String STALE = "stale";

    private Outcome() {}
}
