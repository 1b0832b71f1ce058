package io.elder.fetch;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.function.Function;

/**
 * A row of a provider's table: a kind, where its id is, and how to fetch it. Returning normally from the fetch function
 * says "I saw everything"; throwing says "incomplete".
 */
public sealed interface Resource<C> {
    /** Singular snake_case with the vendor's noun, e.g. {@code ldap_group}. */
    String kind();

    /** What the vendor calls one object, unique in provider, account and kind. */
    Function<JsonNode, String> id();

    /**
     * Read once per partition that it applies to.
     *
     * @param applies decides that when a run is planned; it asks nobody
     */
    record Root<C>(String kind, Function<JsonNode, String> id, RootFetch<C> fetch, Applies<C> applies)
            implements Resource<C> {
        /**
         * The same row, read only where this says so as well: regional or once per account, in a service that the job
         * names. What a run does not read stays as it is.
         */
        public Root<C> only(Applies<C> also) {
            return new Root<>(
                    kind, id, fetch, (client, where) -> applies.test(client, where) && also.test(client, where));
        }
    }

    /** Read once per object of the parent, after all of them were seen; an object that is gone meanwhile is skipped. */
    record Child<C>(Resource<C> parent, String kind, Function<JsonNode, String> id, ChildFetch<C> fetch)
            implements Resource<C> {}

    /** Whether there is something to read in a partition. */
    @FunctionalInterface
    interface Applies<C> {
        boolean test(C client, Partition where);
    }

    /** Hands every object of one kind in one partition to {@code out}. */
    @FunctionalInterface
    interface RootFetch<C> {
        void fetch(C client, Partition where, Out out) throws Exception;
    }

    /** Hands every object that belongs to one parent to {@code out}. */
    @FunctionalInterface
    interface ChildFetch<C> {
        void fetch(C client, Partition where, JsonNode parent, Out out) throws Exception;
    }

    /** @param idPath where the id is, dots between the names: {@code metadata.uid} */
    static <C> Root<C> root(String kind, String idPath, RootFetch<C> fetch) {
        return root(kind, at(idPath), fetch);
    }

    static <C> Root<C> root(String kind, Function<JsonNode, String> id, RootFetch<C> fetch) {
        return new Root<>(kind, id, fetch, (client, where) -> true);
    }

    /** @param idPath where the id is, dots between the names: {@code metadata.uid} */
    static <C> Child<C> child(Resource<C> parent, String kind, String idPath, ChildFetch<C> fetch) {
        return new Child<>(parent, kind, at(idPath), fetch);
    }

    static <C> Child<C> child(Resource<C> parent, String kind, Function<JsonNode, String> id, ChildFetch<C> fetch) {
        return new Child<>(parent, kind, id, fetch);
    }

    private static Function<JsonNode, String> at(String idPath) {
        String pointer = "/" + idPath.replace('.', '/');
        return object -> object.at(pointer).asText("");
    }
}
