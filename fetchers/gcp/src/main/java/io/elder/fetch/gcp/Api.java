package io.elder.fetch.gcp;

import java.net.URI;
import java.util.List;
import java.util.stream.Stream;

/** One of Google's APIs: its host, and how its lists are paged. */
enum Api {
    /** Names and states of projects; always read, because everything else belongs to a project. */
    PROJECTS("", "cloudresourcemanager.googleapis.com", "pageSize", 300),
    /** https://cloud.google.com/compute/docs/reference/rest/v1/instances/aggregatedList */
    COMPUTE("compute", "compute.googleapis.com", "maxResults", 500),
    /** https://cloud.google.com/storage/docs/json_api/v1/buckets/list */
    STORAGE("storage", "storage.googleapis.com", "maxResults", 1000),
    /** https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/list: not paged */
    CONTAINER("container", "container.googleapis.com", "", 0),
    /** https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/list */
    RUN("run", "run.googleapis.com", "pageSize", 500),
    /** https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions/list */
    FUNCTIONS("functions", "cloudfunctions.googleapis.com", "pageSize", 1000),
    /** https://cloud.google.com/sql/docs/mysql/admin-api/rest/v1/instances/list */
    SQL("sql", "sqladmin.googleapis.com", "maxResults", 1000),
    /** https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/list */
    IAM("iam", "iam.googleapis.com", "pageSize", 100);

    private final String word;
    private final String host;
    private final String sizeParameter;
    private final int largestPage;

    Api(String word, String host, String sizeParameter, int largestPage) {
        this.word = word;
        this.host = host;
        this.sizeParameter = sizeParameter;
        this.largestPage = largestPage;
    }

    /** What {@code GCP_SERVICES} calls it. */
    String word() {
        return word;
    }

    boolean isChoice() {
        return !word.isEmpty();
    }

    static List<String> choices() {
        return Stream.of(values()).filter(Api::isChoice).map(Api::word).toList();
    }

    URI url() {
        return URI.create("https://" + host);
    }

    /** The path of a list with the query of a page. */
    String page(String path, int wantedSize, String encodedCursor) {
        StringBuilder page = new StringBuilder(path);
        if (!sizeParameter.isEmpty()) {
            and(page).append(sizeParameter).append('=').append(Math.min(wantedSize, largestPage));
        }
        if (!encodedCursor.isEmpty()) {
            and(page).append("pageToken=").append(encodedCursor);
        }
        return page.toString();
    }

    private static StringBuilder and(StringBuilder path) {
        return path.append(path.indexOf("?") < 0 ? '?' : '&');
    }
}
