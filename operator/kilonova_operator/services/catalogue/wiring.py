"""Controllers of flavors and images."""

from collections.abc import Sequence

from kilonova_api.flavor import Flavor, FlavorStatus
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_api.image import ClusterImage, Image, ImageStatus
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.catalogue.judgements import judge_flavor, judge_image
from kilonova_operator.domain.conditions import Judgement
from kilonova_operator.services.catalogue.reconciler import CatalogueReconciler
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


def build_catalogue_controllers(context: ProcessContext) -> Sequence[Controller]:
    """Build one controller a kind."""
    flavors = _build_flavors(context)
    images = _build_images(context, Image)
    cluster_images = _build_images(context, ClusterImage)
    return (
        Controller("flavors", flavors.reconcile, (Feed(FeedKind.FLAVORS),), 2),
        Controller("images", images.reconcile, (Feed(FeedKind.IMAGES),), 2),
        Controller(
            "clusterimages",
            cluster_images.reconcile,
            (Feed(FeedKind.CLUSTER_IMAGES),),
            2,
        ),
    )


def _build_flavors(context: ProcessContext) -> CatalogueReconciler[Flavor]:
    check = context.scheduling.rules.check_extra_specs

    def judge(flavor: Flavor) -> Judgement:
        return judge_flavor(effective_extra_specs(flavor.spec), check)

    return CatalogueReconciler(
        kube=context.kube,
        model=Flavor,
        validate=Flavor.model_validate,
        status_model=FlavorStatus,
        judge=judge,
        statuses=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
        clock=context.clock,
    )


def _build_images(
    context: ProcessContext, model: type[Image] | type[ClusterImage]
) -> CatalogueReconciler[Image | ClusterImage]:
    def judge(image: Image | ClusterImage) -> Judgement:
        return judge_image(image.spec.properties)

    return CatalogueReconciler(
        kube=context.kube,
        model=model,
        validate=model.model_validate,
        status_model=ImageStatus,
        judge=judge,
        statuses=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
        clock=context.clock,
    )
