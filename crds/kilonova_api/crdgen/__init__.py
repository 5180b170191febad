"""Makes the CRDs, and the chart that carries them, of the pydantic models.

``python -m kilonova_api.crdgen`` writes the files, ``--check`` fails when a
committed file is not what the models say. A model is the only place where a
field, its bounds or its description is written.
"""
